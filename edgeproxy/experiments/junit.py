"""A report as JUnit's XML, one test case for each thing that must hold."""

from typing import Any
from xml.etree import ElementTree

__all__ = ["junit_of"]


def junit_of(report: dict[str, Any]) -> bytes:
    """The XML document."""
    failures = sum(not each["holds"] for each in report["requirements"]) + report["partial"]
    cases = len(report["requirements"]) + 1
    suite = ElementTree.Element(
        "testsuite",
        name=f"experiment {report['experiment']}",
        tests=str(cases),
        failures=str(failures),
        errors="0",
        time=f"{report['duration_s']:.3f}",
    )
    _case(suite, report, "whole run", not report["partial"], report["stopped"] or "")
    for each in report["requirements"]:
        _case(suite, report, each["name"], each["holds"], each["why"])
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    encoded: bytes = ElementTree.tostring(suites, "utf-8", xml_declaration=True)
    return encoded


def _case(
    suite: ElementTree.Element, report: dict[str, Any], name: str, holds: bool, why: str
) -> None:
    classname = f"edgeproxy.experiment.{report['experiment']}"
    case = ElementTree.SubElement(suite, "testcase", name=name, classname=classname)
    if not holds:
        ElementTree.SubElement(case, "failure", message=why).text = why
