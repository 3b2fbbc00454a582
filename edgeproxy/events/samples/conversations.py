"""Sample events of devices and of services that talk: IoT, Alexa, Lex and Connect."""

import orjson

from edgeproxy.events.samples.facts import ACCOUNT, REGION, TIME, Document, Json, base64_of

__all__ = [
    "alexa_intent",
    "alexa_launch",
    "alexa_session_ended",
    "connect_flow",
    "iot_authorizer",
    "iot_rule",
    "lex_dialog",
    "lex_fulfillment",
]


def iot_rule(payload: Json = '{"device": "sensor-17", "temperature": 21.5}') -> Document:
    """A rule's action: the event is what the rule's SQL selects, here the whole message."""
    document: Document = orjson.loads(payload)
    return document


def iot_authorizer(
    token: str = "sample-token", user: str = "sensor-17", password: str = "sample-password"
) -> Document:
    """A device connects over MQTT to a domain with a custom authorizer."""
    return {
        "token": token,
        "signatureVerified": True,
        "protocols": ["tls", "http", "mqtt"],
        "protocolData": {
            "tls": {"serverName": "iot.example.com"},
            "http": {
                "headers": {"user-agent": "sample-device"},
                "queryString": "?colour=blue",
            },
            "mqtt": {
                "username": user,
                "password": base64_of(password),
                "clientId": "sensor-17",
            },
        },
        "connectionMetadata": {"id": "0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9"},
    }


def alexa_launch(locale: str = "en-US") -> Document:
    """A user opens a skill."""
    return _alexa({"type": "LaunchRequest", "locale": locale}, new=True)


def alexa_intent(
    intent: str = "OrderIntent", slot: str = "Item", value: str = "book", locale: str = "en-US"
) -> Document:
    """A user says what a skill's intent is for."""
    filled = {"name": slot, "value": value, "confirmationStatus": "NONE"}
    request = {
        "type": "IntentRequest",
        "locale": locale,
        "dialogState": "COMPLETED",
        "intent": {"name": intent, "confirmationStatus": "NONE", "slots": {slot: filled}},
    }
    return _alexa(request, new=False)


def alexa_session_ended(reason: str = "USER_INITIATED", locale: str = "en-US") -> Document:
    """A user's session with a skill is over; no answer is expected."""
    request = {"type": "SessionEndedRequest", "locale": locale, "reason": reason}
    return _alexa(request, new=False)


def _alexa(request: Document, *, new: bool) -> Document:
    application = {"applicationId": "amzn1.ask.skill.0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9"}
    user = {"userId": "amzn1.ask.account.SAMPLE"}
    return {
        "version": "1.0",
        "session": {
            "new": new,
            "sessionId": "amzn1.echo-api.session.5d478078-13e9-4af0-864a-7ef285ecc786",
            "application": application,
            "attributes": {},
            "user": user,
        },
        "context": {
            "System": {
                "application": application,
                "user": user,
                "device": {"deviceId": "amzn1.ask.device.SAMPLE", "supportedInterfaces": {}},
                "apiEndpoint": "https://api.amazonalexa.com",
                "apiAccessToken": "sample-token",
            }
        },
        "request": {
            "requestId": "amzn1.echo-api.request.550e8400-e29b-41d4-a716-446655440000",
            "timestamp": TIME,
            **request,
        },
    }


def lex_dialog(
    intent: str = "OrderItem", slot: str = "Item", value: str = "book", said: str = "I want a book"
) -> Document:
    """A bot of Lex V2 asks what is next in a dialog."""
    return _lex("DialogCodeHook", "InProgress", intent, slot, value, said)


def lex_fulfillment(
    intent: str = "OrderItem", slot: str = "Item", value: str = "book", said: str = "I want a book"
) -> Document:
    """A bot of Lex V2 has what an intent needs, and wants it done."""
    return _lex("FulfillmentCodeHook", "ReadyForFulfillment", intent, slot, value, said)


def _lex(source: str, state: str, name: str, slot: str, value: str, said: str) -> Document:
    filled = {
        "shape": "Scalar",
        "value": {"originalValue": value, "interpretedValue": value, "resolvedValues": [value]},
    }
    intent = {
        "name": name,
        "slots": {slot: filled},
        "state": state,
        "confirmationState": "None",
    }
    interpretation = {"intent": intent, "nluConfidence": 0.92}
    return {
        "messageVersion": "1.0",
        "invocationSource": source,
        "inputMode": "Text",
        "responseContentType": "text/plain; charset=utf-8",
        "sessionId": "mary",
        "inputTranscript": said,
        "bot": {
            "id": "A1B2C3D4E5",
            "name": "sample-bot",
            "aliasId": "TSTALIASID",
            "aliasName": "TestBotAlias",
            "localeId": "en_US",
            "version": "DRAFT",
        },
        "interpretations": [interpretation],
        "proposedNextState": {"dialogAction": {"type": "Close"}, "intent": intent},
        "requestAttributes": {},
        "sessionState": {
            "activeContexts": [],
            "sessionAttributes": {},
            "intent": intent,
            "originatingRequestId": "550e8400-e29b-41d4-a716-446655440000",
        },
        "transcriptions": [
            {
                "transcription": said,
                "transcriptionConfidence": 1.0,
                "resolvedContext": {"intent": name},
                "resolvedSlots": {slot: filled},
            }
        ],
    }


def connect_flow(
    phone: str = "+12065550100", region: str = REGION, account: str = ACCOUNT
) -> Document:
    """A contact flow of Amazon Connect invokes a function during a call."""
    instance = f"arn:aws:connect:{region}:{account}:instance/0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9"
    contact = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
    return {
        "Name": "ContactFlowEvent",
        "Details": {
            "ContactData": {
                "Attributes": {},
                "Channel": "VOICE",
                "ContactId": contact,
                "CustomerEndpoint": {"Address": phone, "Type": "TELEPHONE_NUMBER"},
                "InitialContactId": contact,
                "InitiationMethod": "INBOUND",
                "InstanceARN": instance,
                "MediaStreams": {"Customer": {"Audio": None}},
                "PreviousContactId": contact,
                "Queue": None,
                "SystemEndpoint": {"Address": "+12065550199", "Type": "TELEPHONE_NUMBER"},
            },
            "Parameters": {"sample": "17"},
        },
    }
