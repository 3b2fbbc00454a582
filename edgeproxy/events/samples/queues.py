"""Sample events of queues and of what sends messages: SQS, SNS, SES and Amazon MQ."""

import hashlib

from edgeproxy.events.samples.facts import (
    ACCOUNT,
    MILLISECONDS,
    REGION,
    TIME_MS,
    Document,
    base64_of,
)

__all__ = [
    "mq_activemq",
    "mq_rabbitmq",
    "ses_receive",
    "sns_notification",
    "sqs_receive",
    "sqs_receive_fifo",
]


def sqs_receive(
    body: str = "A message.",
    queue: str = "sample-queue",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A batch of one message from a standard queue."""
    return {
        "Records": [
            {
                "messageId": "6f1a3c52-0d7e-4b7b-9d55-2c8f0a9e4b11",
                "receiptHandle": "U2FtcGxlUmVjZWlwdEhhbmRsZQ==",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(MILLISECONDS),
                    "SenderId": "AROAEXAMPLESENDER0001:sender",
                    "ApproximateFirstReceiveTimestamp": str(MILLISECONDS + 15),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{region}:{account}:{queue}",
                "awsRegion": region,
            }
        ]
    }


def sqs_receive_fifo(
    body: str = "A message.",
    queue: str = "sample-queue.fifo",
    group: str = "customer-17",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A batch of one message from a FIFO queue."""
    event = sqs_receive(body, queue, region, account)
    event["Records"][0]["attributes"] |= {
        "SequenceNumber": "18849496460467696128",
        "MessageGroupId": group,
        "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest(),
    }
    return event


def sns_notification(
    message: str = "A message.",
    subject: str = "Sample",
    topic: str = "sample-topic",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A message published to a topic."""
    arn = f"arn:aws:sns:{region}:{account}:{topic}"
    subscription = f"{arn}:0b9d6b43-6f0d-4d5c-8a53-9b4e1f7c2d20"
    host = f"https://sns.{region}.amazonaws.com"
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "d2c1f6f4-8a4f-5f6c-9b0e-a1b0c5d47e33",
                    "TopicArn": arn,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": TIME_MS,
                    "SignatureVersion": "1",
                    "Signature": "U2FtcGxlU2lnbmF0dXJl",
                    "SigningCertUrl": f"{host}/SimpleNotificationService-0000.pem",
                    "UnsubscribeUrl": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription}",
                    "MessageAttributes": {
                        "colour": {"Type": "String", "Value": "blue"},
                        "thumbprint": {"Type": "Binary", "Value": base64_of("sample")},
                    },
                },
            }
        ]
    }


def ses_receive(
    sender: str = "mary@example.com",
    recipient: str = "orders@example.org",
    subject: str = "An order",
    function: str = "sample-function",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A mail that a receipt rule hands over; the mail's text is not in the event."""
    date = "Sat, 14 Mar 2026 09:26:53 +0000"
    message_id = "<5d1f0a2b.1c3e@mail.example.com>"
    passed = {"status": "PASS"}
    return {
        "Records": [
            {
                "eventSource": "aws:ses",
                "eventVersion": "1.0",
                "ses": {
                    "mail": {
                        "timestamp": TIME_MS,
                        "source": sender,
                        "messageId": "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1",
                        "destination": [recipient],
                        "headersTruncated": False,
                        "headers": [
                            {"name": "Return-Path", "value": f"<{sender}>"},
                            {"name": "From", "value": sender},
                            {"name": "To", "value": recipient},
                            {"name": "Date", "value": date},
                            {"name": "Message-ID", "value": message_id},
                            {"name": "Subject", "value": subject},
                        ],
                        "commonHeaders": {
                            "returnPath": sender,
                            "from": [sender],
                            "date": date,
                            "to": [recipient],
                            "messageId": message_id,
                            "subject": subject,
                        },
                    },
                    "receipt": {
                        "timestamp": TIME_MS,
                        "processingTimeMillis": 574,
                        "recipients": [recipient],
                        "spamVerdict": passed,
                        "virusVerdict": passed,
                        "spfVerdict": passed,
                        "dkimVerdict": passed,
                        "dmarcVerdict": passed,
                        "action": {
                            "type": "Lambda",
                            "functionArn": f"arn:aws:lambda:{region}:{account}:function:{function}",
                            "invocationType": "Event",
                        },
                    },
                },
            }
        ]
    }


def mq_activemq(
    body: str = "A message.",
    queue: str = "sample-queue",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A batch of one text message from an ActiveMQ broker."""
    return {
        "eventSource": "aws:mq",
        "eventSourceArn": _broker(region, account),
        "messages": [
            {
                "messageID": "ID:b-1234.mq.us-east-1.amazonaws.com-37557-1:1:1:1:5",
                "messageType": "jms/text-message",
                "deliveryMode": 1,
                "replyTo": None,
                "type": None,
                "expiration": "60000",
                "priority": 1,
                "correlationId": "order-17",
                "redelivered": False,
                "destination": {"physicalName": queue},
                "data": base64_of(body),
                "timestamp": MILLISECONDS,
                "brokerInTime": MILLISECONDS,
                "brokerOutTime": MILLISECONDS + 2,
                "properties": {"index": "1"},
            }
        ],
    }


def mq_rabbitmq(
    body: str = "A message.",
    queue: str = "sample-queue",
    region: str = REGION,
    account: str = ACCOUNT,
) -> Document:
    """A batch of one message from a RabbitMQ broker's queue in the virtual host ``/``."""
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": _broker(region, account),
        "rmqMessagesByQueue": {
            f"{queue}::/": [
                {
                    "basicProperties": {
                        "contentType": "text/plain",
                        "contentEncoding": None,
                        "headers": {"tries": 1},
                        "deliveryMode": 1,
                        "priority": 34,
                        "correlationId": None,
                        "replyTo": None,
                        "expiration": "60000",
                        "messageId": None,
                        "timestamp": "Mar 14, 2026, 9:26:53 AM",
                        "type": None,
                        "userId": "worker",
                        "appId": None,
                        "clusterId": None,
                        "bodySize": len(body.encode()),
                    },
                    "redelivered": False,
                    "data": base64_of(body),
                }
            ]
        },
    }


def _broker(region: str, account: str) -> str:
    broker = "sample-broker:b-9bcfa592-423a-4942-879d-eb284b418fc8"
    return f"arn:aws:mq:{region}:{account}:broker:{broker}"
