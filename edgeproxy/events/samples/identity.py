"""Sample events of Cognito user pools: one for each of their triggers."""

from edgeproxy.events.samples.facts import REGION, Document

__all__ = [
    "cognito_create_auth_challenge",
    "cognito_custom_message",
    "cognito_define_auth_challenge",
    "cognito_migrate_user",
    "cognito_post_authentication",
    "cognito_post_confirmation",
    "cognito_pre_authentication",
    "cognito_pre_sign_up",
    "cognito_pre_token_generation",
    "cognito_verify_auth_challenge",
]

_USER = "mary"
_EMAIL = "mary@example.com"


def cognito_pre_sign_up(user: str = _USER, email: str = _EMAIL, region: str = REGION) -> Document:
    """Somebody signs up; the function may confirm and verify at once."""
    request = {"userAttributes": {"email": email}, "validationData": {}}
    response = {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}
    return _trigger("PreSignUp_SignUp", user, region, request, response)


def cognito_post_confirmation(
    user: str = _USER, email: str = _EMAIL, region: str = REGION
) -> Document:
    """A new user has been confirmed."""
    request = {"userAttributes": _attributes(email)}
    return _trigger("PostConfirmation_ConfirmSignUp", user, region, request, {})


def cognito_pre_authentication(
    user: str = _USER, email: str = _EMAIL, region: str = REGION
) -> Document:
    """Somebody wants to sign in."""
    request = {"userAttributes": _attributes(email), "validationData": {}}
    return _trigger("PreAuthentication_Authentication", user, region, request, {})


def cognito_post_authentication(
    user: str = _USER, email: str = _EMAIL, region: str = REGION
) -> Document:
    """Somebody has signed in."""
    request = {"userAttributes": _attributes(email), "newDeviceUsed": False}
    return _trigger("PostAuthentication_Authentication", user, region, request, {})


def cognito_pre_token_generation(
    user: str = _USER, email: str = _EMAIL, group: str = "readers", region: str = REGION
) -> Document:
    """Tokens are about to be made; the function may change their claims (version 1)."""
    request = {
        "userAttributes": _attributes(email),
        "groupConfiguration": {
            "groupsToOverride": [group],
            "iamRolesToOverride": [],
        },
    }
    response = {"claimsOverrideDetails": None}
    return _trigger("TokenGeneration_Authentication", user, region, request, response)


def cognito_custom_message(
    user: str = _USER, email: str = _EMAIL, region: str = REGION
) -> Document:
    """A message to a user is about to be sent; the function may word it."""
    request = {
        "userAttributes": _attributes(email),
        "codeParameter": "{####}",
        "usernameParameter": None,
        "linkParameter": "{##Click Here##}",
    }
    response = {"smsMessage": None, "emailMessage": None, "emailSubject": None}
    return _trigger("CustomMessage_SignUp", user, region, request, response)


def cognito_migrate_user(
    user: str = _USER, password: str = "sample-password", region: str = REGION
) -> Document:
    """A user unknown to the pool signs in, and may be taken over from elsewhere."""
    request = {"password": password, "validationData": {}}
    response = dict.fromkeys(
        (
            "userAttributes",
            "finalUserStatus",
            "messageAction",
            "desiredDeliveryMediums",
            "forceAliasCreation",
        )
    )
    return _trigger("UserMigration_Authentication", user, region, request, response)


def cognito_define_auth_challenge(
    user: str = _USER, email: str = _EMAIL, region: str = REGION
) -> Document:
    """A custom sign-in asks for its next challenge; the password was right."""
    passed = {"challengeName": "SRP_A", "challengeResult": True}
    request = {
        "userAttributes": _attributes(email),
        "session": [passed],
        "userNotFound": False,
    }
    response = {"challengeName": None, "issueTokens": None, "failAuthentication": None}
    return _trigger("DefineAuthChallenge_Authentication", user, region, request, response)


def cognito_create_auth_challenge(
    user: str = _USER, email: str = _EMAIL, region: str = REGION
) -> Document:
    """A custom challenge is to be made."""
    request = {
        "userAttributes": _attributes(email),
        "challengeName": "CUSTOM_CHALLENGE",
        "session": [],
        "userNotFound": False,
    }
    response = dict.fromkeys(
        ("publicChallengeParameters", "privateChallengeParameters", "challengeMetadata")
    )
    return _trigger("CreateAuthChallenge_Authentication", user, region, request, response)


def cognito_verify_auth_challenge(
    user: str = _USER, email: str = _EMAIL, answer: str = "17", region: str = REGION
) -> Document:
    """The answer to a custom challenge is to be judged."""
    request = {
        "userAttributes": _attributes(email),
        "privateChallengeParameters": {"answer": "17"},
        "challengeAnswer": answer,
        "userNotFound": False,
    }
    response = {"answerCorrect": None}
    return _trigger("VerifyAuthChallengeResponse_Authentication", user, region, request, response)


def _attributes(email: str) -> Document:
    return {
        "sub": "0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9",
        "cognito:user_status": "CONFIRMED",
        "email_verified": "true",
        "email": email,
    }


def _trigger(
    source: str, user: str, region: str, request: Document, response: Document
) -> Document:
    return {
        "version": "1",
        "triggerSource": source,
        "region": region,
        "userPoolId": f"{region}_aB1cD2eF3",
        "userName": user,
        "callerContext": {
            "awsSdkVersion": "aws-sdk-unknown-unknown",
            "clientId": "1example23456789",
        },
        "request": request,
        "response": response,
    }
