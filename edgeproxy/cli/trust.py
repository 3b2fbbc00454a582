"""``edgeproxy trust``: browsers take the local authority's certificates, or no longer."""

import argparse

from edgeproxy.cli.command import Commands

__all__ = ["add_to"]


def add_to(commands: Commands) -> None:
    parser = commands.add_parser(
        "trust",
        help="let this machine's browsers trust the certificates of --https-port",
        description="Put the certificate of your own local authority, which --https-port serves "
        "with, into your browsers' databases, so that https://localhost opens without a warning. "
        "What belongs to you alone is changed, and each change is told with how to undo it; for "
        "the system's store the commands are printed. Nothing is done with sudo.",
        allow_abbrev=False,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--remove", action="store_true", help="take it out again")
    which.add_argument(
        "--status", action="store_true", help="only tell where it is trusted; status 1 for nowhere"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from edgeproxy.app import trust

    if options.remove or options.status:
        certificate = trust.trusted_certificate()
        if certificate is None:
            print("there is no local authority yet: nothing is trusted")
            return 1 if options.status else 0
    else:
        certificate = trust.local_authority()
    print(f"the local authority's certificate: {certificate}")
    found = trust.places()
    if options.status:
        trusting = [place.trusts(certificate) for place in found]
        for place, trusts in zip(found, trusting, strict=True):
            print(f"{'trusted' if trusts else 'not trusted':<12} {place.name}")
        return 0 if any(trusting) else 1
    for place in found:
        if options.remove:
            print(f"{'removed' if place.remove(certificate) else 'not there':<12} {place.name}")
        elif place.trusts(certificate):
            print(f"{'is there':<12} {place.name}")
        else:
            place.add(certificate)
            print(f"{'added':<12} {place.name}")
    if not options.remove:
        print("\n".join(trust.by_hand(certificate)))
        print("`edgeproxy trust --remove` takes out again what was added")
        print(
            "whoever has the private key beside it can pose as any site to these browsers: it is "
            "readable by you alone; keep it so"
        )
    return 0
