"""Captures in Amazon S3, read as they come: s3://BUCKET/KEY.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
Credentials, region and endpoint are those of the AWS CLI: environment, profile, instance role.
"""

import io
from typing import Any

from pcaps.errors import CaptureError
from pcaps.paths import S3

REFUSALS = {  # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
    "NoSuchBucket": "there is no such bucket; check its name",
    "NoSuchKey": "there is no such object; list the names with: aws s3 ls s3://{bucket}/",
    "AccessDenied": "S3 denies access; s3:GetObject on arn:aws:s3:::{bucket}/{key} is needed, "
    "and s3:ListBucket to be told of names that do not exist",
    "InvalidObjectState": "the object is archived; restore it first: aws s3api restore-object",
    "ExpiredToken": "the credentials have expired; log in again",
    "InvalidAccessKeyId": "the access key is unknown to AWS; check the credentials",
    "SignatureDoesNotMatch": "the secret key does not fit the access key; check the credentials",
}


class _Body(io.RawIOBase):
    """The bytes of an object; what interrupts them is an OSError."""

    def __init__(self, body: Any, client: Any) -> None:
        self._body = body
        self._client = client
        self._read = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # Buffer is 3.12's name
        """Fill the buffer from the connection. Raises OSError."""
        from botocore.exceptions import BotoCoreError

        try:
            data = self._body.read(len(buffer))
        except BotoCoreError as error:
            raise OSError(0, str(error)) from None
        memoryview(buffer)[: len(data)] = data
        self._read += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes read so far."""
        return self._read

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            self._body.close()
            self._client.close()
        super().close()


def open_object(path: str) -> tuple[io.RawIOBase, int]:
    """The bytes of s3://BUCKET/KEY and how many they are. Raises CaptureError in plain words."""
    bucket, _, key = path.removeprefix(S3).partition("/")
    if not bucket or not key:
        raise CaptureError(f"{path}: write s3://BUCKET/KEY")
    try:
        import boto3
    except ImportError:
        raise CaptureError(f"{path}: reading from S3 needs boto3: .venv/bin/pip install boto3") from None
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.session.Session().client("s3")  # the default session would keep its first credentials
        answer = client.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise CaptureError(f"{path}: {_refusal(error.response, bucket, key)}") from None
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint in the environment that is no URL
        raise CaptureError(f"{path}: {_trouble(error)}") from None
    return _Body(answer["Body"], client), int(answer["ContentLength"])


def _refusal(answer: Any, bucket: str, key: str) -> str:
    """What S3 says no for, with the cure."""
    error = answer.get("Error", {})
    words = REFUSALS.get(error.get("Code", ""))
    if words is not None:
        return words.format(bucket=bucket, key=key)
    return f"S3 refuses: {error.get('Message') or error.get('Code') or 'no reason given'}"


def _trouble(error: Exception) -> str:
    """What keeps us from asking S3 at all."""
    from botocore import exceptions as known

    if isinstance(error, known.NoCredentialsError | known.PartialCredentialsError):
        return "no AWS credentials were found; set AWS_PROFILE, or log in with: aws sso login"
    if isinstance(error, known.EndpointConnectionError | known.ConnectTimeoutError):
        return f"S3 does not answer: {error}"
    return f"S3 cannot be asked: {error}"
