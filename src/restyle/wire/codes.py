"""The one table of codes: their numbers, names and meanings. Answers, exceptions and documentation are made from it."""

from enum import IntEnum


class Code(IntEnum):
    """A ``RetCode`` of an answer, or (51xx) an ``ErrorCode`` of a task."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "Code":
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    @classmethod
    def of(cls, number: int) -> "Code":
        """The code of that number; one of another service's that is not in this table stays that number."""
        for member in cls:
            if member == number:
                return member
        foreign = int.__new__(cls, number)
        foreign._name_ = f"FOREIGN_{number}"
        foreign._value_ = number
        foreign.meaning = "a code of another service"
        return foreign

    SUCCESS = 0, "success"
    ACTION_NOT_FOUND = 161, "action not found"
    SIGNATURE_MISMATCH = 171, "signature does not match"
    KEY_NOT_FOUND = 172, "public key not found or disabled"
    MISSING_PARAMETER = 220, "missing parameter"
    PARAMETER_NOT_AVAILABLE = 230, "parameter not available"
    BODY_NOT_OBJECT = 4001, "body is not a JSON object"
    BODY_TOO_LARGE = 4002, "body too large"
    IMAGE_UNREADABLE = 4003, "image cannot be read, or is over the limits"
    MODEL_NOT_FOUND = 4004, "model not found"
    SUB_MODEL_UNFIT = 4005, "sub-model does not fit the main model"
    TASK_NOT_FOUND = 4006, "task not found"
    CREDITS_INSUFFICIENT = 4007, "credits insufficient"
    RATE_LIMITED = 4008, "rate limited"
    QUEUE_FULL = 4009, "queue full"
    REQUEST_REUSED = 4010, "request_uuid reused with another body, or stale timestamp"
    TASK_ENDED = 4011, "task already ended"
    STYLE_NOT_FOUND = 4012, "style not found"
    QUOTA_USED = 4013, "quota used up"
    INTERNAL_ERROR = 5000, "internal error"
    ENGINE_FAILED = 5101, "engine failed"
    OUT_OF_MEMORY = 5102, "out of memory"
    TIME_LIMIT = 5103, "time limit"
    TERMINATED = 5104, "terminated by the user"
    CONTENT_REFUSED = 5105, "refused by the content filter"
