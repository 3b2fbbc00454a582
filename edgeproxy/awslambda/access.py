"""Who may come in by which door: function URLs, load balancers, the Lambda API (LI-210, LI-211).

Enforced, signatures are verified and resource-based policies are asked where AWS asks them. Callers
of the functions' own account are taken to be allowed everything by their identity policies, and
those of other accounts what a resource-based policy allows; services need one in any case. Not
enforced, a function URL with ``AWS_IAM`` takes any well-formed signature, and all else is open
(FU-108).
"""

from collections.abc import Mapping
from typing import Final

from edgeproxy.awslambda.account import LambdaAccount
from edgeproxy.awslambda.callers import Caller, Key, Refused, Verifier, caller_of
from edgeproxy.awslambda.model import FunctionUrl
from edgeproxy.awslambda.policies import INVOKE, INVOKE_URL, Asker, allows
from edgeproxy.http.messages import Request
from edgeproxy.http.sigv4 import Incomplete, claim_of

__all__ = ["Access"]

_FORBIDDEN: Final = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}
_CLOUDFRONT: Final = "cloudfront.amazonaws.com"
_ELB: Final = "elasticloadbalancing.amazonaws.com"
_SIGNATURES: Final = {
    "InvalidSignatureException",
    "UnrecognizedClientException",
    "IncompleteSignatureException",
}


class Access:
    """The rules of an account; ``keys`` are all access keys that are known."""

    def __init__(self, account: LambdaAccount, keys: Mapping[str, Key], *, enforced: bool) -> None:
        self._account = account
        self._keys = keys
        self.enforced = enforced

    def with_keys(self, keys: Mapping[str, Key]) -> "Access":
        """The same rules where these keys are known as well."""
        return Access(self._account, {**self._keys, **keys}, enforced=self.enforced)

    def enter_url(self, url: FunctionUrl, request: Request, body: bytes) -> Caller | None:
        """Who comes in by a function URL, None where nobody is asked. Raises :class:`Refused`."""
        if url.auth_type != "AWS_IAM":
            if self.enforced and not self._lets_through_url(url, Asker()):  # FU-101, FU-102
                raise Refused(
                    "AccessDeniedException",
                    _FORBIDDEN,
                    f"no policy of {url.function} allows everybody {INVOKE_URL} with "
                    f"FunctionUrlAuthType NONE, and {INVOKE} with InvokedViaFunctionUrl",
                )
            return None
        try:
            caller = self._caller(request, body, self._arn(url.function))
        except Refused as refused:
            if refused.name in _SIGNATURES:
                raise
            # UNSURE whether it is the longer text (FU-105).
            raise Refused(
                "AccessDeniedException", {"Message": "Forbidden"}, "the request is not signed"
            ) from refused
        if not self.enforced or (caller.account == self._owner(url) and not caller.sources):
            return caller
        askers = _askers(caller)
        if not any(self._lets_through_url(url, asker) for asker in askers):
            who = askers[0].service or caller.arn
            why = f"no policy of {url.function} allows {who} {INVOKE_URL} and {INVOKE}"
            raise Refused("AccessDeniedException", _FORBIDDEN, why)
        return caller

    def refused_to_balancer(self, function: str, qualifier: str, target_group: str) -> str:
        """Why a load balancer may not invoke for that target group; empty if it may (AL-004)."""
        facts = {"aws:sourcearn": target_group, "aws:sourceaccount": target_group.split(":")[4]}
        if not self.enforced or self._allows(function, qualifier, INVOKE, Asker(_ELB, facts=facts)):
            return ""
        return f"no policy of {function} allows {_ELB} {INVOKE} for {target_group}"

    def enter_api(
        self, request: Request, body: bytes, action: str, function: str, qualifier: str
    ) -> None:
        """Raises :class:`Refused` for a call of the API that AWS would refuse (LI-026, LI-213)."""
        if not self.enforced:
            return
        owner = self._account.id
        verifier = Verifier(self._keys, self._account.region)
        caller = verifier.caller(request, body, owner, self._account.clock.now(), told=True)
        if caller.account == owner:
            return
        if function and self._allows(
            function, qualifier, action, Asker(arn=caller.arn, account=caller.account)
        ):
            return
        resource = self._arn(function, qualifier) if function else "*"
        message = (
            f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} "
            f"because no resource-based policy allows the {action} action"
        )
        raise Refused("AccessDeniedException", {"Message": message})

    def _caller(self, request: Request, body: bytes, arn: str) -> Caller:
        """Who has signed a request to the function with this ARN."""
        region, owner = arn.split(":")[3:5]
        if self.enforced:
            now = self._account.clock.now()
            return Verifier(self._keys, region).caller(request, body, owner, now)
        try:
            claim = claim_of(request)
        except Incomplete as error:
            raise Refused("IncompleteSignatureException", {"message": str(error)}) from error
        if claim is None:
            raise Refused("MissingAuthenticationTokenException", {"message": ""})
        return caller_of(claim.access_key, self._keys.get(claim.access_key), owner)

    def _lets_through_url(self, url: FunctionUrl, asker: Asker) -> bool:
        facts = {
            **asker.facts,
            "lambda:functionurlauthtype": url.auth_type,
            "lambda:invokedviafunctionurl": "true",
        }
        asker = Asker(asker.service, asker.arn, asker.account, facts)
        return all(
            self._allows(url.function, url.qualifier, action, asker)
            for action in (INVOKE_URL, INVOKE)
        )

    def _allows(self, function: str, qualifier: str, action: str, asker: Asker) -> bool:
        known = self._account.functions.get(function)
        statements = known.policies.get(qualifier, []) if known is not None else []
        return allows(statements, action, self._arn(function, qualifier), asker)

    def _arn(self, function: str, qualifier: str = "") -> str:
        known = self._account.functions.get(function)
        arn = known.arn if known is not None else self._account.function_arn(function)
        return f"{arn}:{qualifier}" if qualifier else arn

    def _owner(self, url: FunctionUrl) -> str:
        return self._arn(url.function).split(":")[4]


def _askers(caller: Caller) -> list[Asker]:
    if not caller.sources:
        return [Asker(arn=caller.arn, account=caller.account)]
    return [
        Asker(
            _CLOUDFRONT,
            facts={"aws:sourcearn": source, "aws:sourceaccount": source.split(":")[4]},
        )
        for source in caller.sources
    ]
