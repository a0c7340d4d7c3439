"""One frame in, one snapshot out: finds the shape, decodes it typed, hands it to `translate`.

The frames that come by the thousand, conversation notifications with `topicName` first, are known
by their first bytes and decoded in one pass. All others are taken apart key by key, so their keys
may stand in any order. A frame that does not fit gets a second chance without its `null` and `{}`,
which mean the same as absent; only then is it refused.
"""

import re
from collections import Counter
from datetime import datetime

import msgspec
from msgspec import Raw
from msgspec.json import Decoder as JsonDecoder

from ringback.core.snapshots import Snapshot
from ringback.errors import FrameError, FrameFault
from ringback.wire.callback import Callback
from ringback.wire.conversations import (
    CallbackConversation,
    CallbackNotification,
    Conversation,
    ConversationNotification,
)
from ringback.wire.participants import CallbackMediaParticipant, Participant
from ringback.wire.privacy import Contact, Privacy
from ringback.wire.system import Answer, System, SystemKind, SystemMessage
from ringback.wire.tolerance import Json, NewFields, pruned
from ringback.wire.translate import Translator
from ringback.wire.values import UNLISTED, Wire

__all__ = ["DEFAULT_MAX_SIZE", "Decoder", "Ignored"]

DEFAULT_MAX_SIZE = 4 * 1024 * 1024
"""Bytes. A conversation with hundreds of unanswered offers reaches several 100 kB."""
SAMPLE_EVERY = 1000
TOPIC_KINDS = 64
"""So many kinds of ignored topics are told apart; the rest count as `other`."""

CONVERSATION_TOPIC = r'v2\.(?:users|routing\.queues)\.[^."\\]+\.conversations(\.callbacks)?'
TOPIC = re.compile(CONVERSATION_TOPIC, re.IGNORECASE)
"""A topic of conversations; group 1 is there for the flat shape."""
HEAD = re.compile(
    rf'[ \t\r\n]*\{{[ \t\r\n]*"topicName"[ \t\r\n]*:[ \t\r\n]*"(?i:{CONVERSATION_TOPIC})"'.encode()
)
"""The first bytes of most notifications of conversations, group 1 as in `TOPIC`."""
WELL_FORMED = re.compile(r"[\w.?&:{}-]{1,200}", re.ASCII)
"""Any topic: 200 characters are the platform's limit, combined forms included."""
REFUSED = re.compile(r"(Expected `[^`]*`, got `[^`]*`)?.*? - at `([^`]*)`", re.DOTALL)
"""What may be told of a refused value: types and path; never the value."""
ABSENT = frozenset({b"null", b"{}"})


def names_of(struct: type[Wire]) -> frozenset[str]:
    """Give a struct's field names as they are on the wire."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(struct))


CALLBACK_FIELDS = names_of(Callback) - {"id"}
FLAT_ONLY = names_of(CallbackMediaParticipant) - names_of(Participant)
SYSTEM_KINDS = {
    kind.value: kind
    for kind in (
        SystemKind.SOCKET_CLOSING,
        SystemKind.NO_LONGER_SUBSCRIBED,
        SystemKind.SUBSCRIPTION_CHANGED,
        SystemKind.TOKEN_REVOKED,
    )
}


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A frame that is in order and of no concern."""

    reason: str
    """`no_callback`, or the topic with its ids replaced, from a bounded set."""


NO_CALLBACK = Ignored("no_callback")
Result = Snapshot | System | Ignored


class Decoder:
    """Decodes frames. Its counters only grow, and all of them are bounded in size.

    `privacy` says what of numbers and names passes; `max_size` is the largest frame, in bytes.
    """

    def __init__(self, privacy: Privacy | None = None, max_size: int = DEFAULT_MAX_SIZE) -> None:
        self.tolerated = 0
        """Frames that were understood only without their `null` and `{}`."""
        self.unknown_values: Counter[str] = Counter()
        """Values that an enumeration does not list, by the enumeration's name."""
        self.ignored: Counter[str] = Counter()
        """Ignored frames by reason."""
        self._new_fields = NewFields()
        self._until_sample = 0
        self._max_size = max_size
        self._translator = Translator(Contact(privacy or Privacy()))
        self._generic_notification = JsonDecoder(ConversationNotification).decode
        self._flat_notification = JsonDecoder(CallbackNotification).decode
        self._generic = JsonDecoder(Conversation).decode
        self._flat = JsonDecoder(CallbackConversation).decode
        self._bare = JsonDecoder(Callback).decode

    @property
    def unknown_fields(self) -> frozenset[str]:
        """Fields that no struct knows, as `Struct.field`, from one snapshot in a thousand."""
        return frozenset(self._new_fields.names)

    def decode(self, frame: bytes | str, read_at: datetime | None = None) -> Result:
        """Decode one frame; `read_at` is when a REST read was sent, None for a notification.

        Raises `FrameError`, and nothing else, for a frame that cannot be understood.
        """
        data = self._checked(frame)
        try:
            try:
                result = self._read(data, read_at)
            except msgspec.ValidationError:
                UNLISTED.clear()
                kept = shaped(msgspec.json.decode(data))
                result = self._read(msgspec.json.encode(kept), read_at)
                self.tolerated += 1
        except msgspec.ValidationError as error:
            raise FrameError(FrameFault.WRONG_TYPE, told(error)) from None
        except msgspec.DecodeError as error:
            raise FrameError(FrameFault.NOT_JSON, str(error)) from None
        except RecursionError:
            raise FrameError(FrameFault.TOO_DEEP, "arrays and objects nest too deeply") from None
        except OverflowError:
            raise FrameError(FrameFault.WRONG_TYPE, "a number has more than 64 bits") from None
        finally:
            if UNLISTED:
                self.unknown_values.update(UNLISTED)
                UNLISTED.clear()
        if isinstance(result, Snapshot):
            self._sample(data, result)
        elif isinstance(result, Ignored):
            self.ignored[result.reason] += 1
        return result

    def _checked(self, frame: bytes | str) -> bytes:
        """Give the frame as UTF-8 of a size that is allowed."""
        data = frame
        if isinstance(data, str):
            try:
                data = data.encode()
            except UnicodeEncodeError:
                raise FrameError(FrameFault.NOT_JSON, "lone surrogates in the text") from None
        elif not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError as error:
                problem = f"not UTF-8 from byte {error.start} on"
                raise FrameError(FrameFault.BINARY, problem) from None
        if len(data) > self._max_size:
            raise FrameError(FrameFault.TOO_LARGE, f"longer than {self._max_size} bytes")
        return data

    def _read(self, data: bytes, read_at: datetime | None) -> Result:
        head = HEAD.match(data)
        if head is None:
            return self._by_keys(data, read_at)
        return self._conversation(data, head[1] is not None, read_at)

    def _conversation(self, data: bytes | Raw, flat: bool, read_at: datetime | None) -> Result:  # noqa: FBT001  by position, for speed
        """Read the notification of a conversation."""
        if flat:
            body = self._flat_notification(data).event_body or CallbackConversation()
            return self._translator.flat(body, read_at) or NO_CALLBACK
        generic_body = self._generic_notification(data).event_body or Conversation()
        return self._translator.generic(generic_body, read_at) or NO_CALLBACK

    def _by_keys(self, data: bytes | Raw, read_at: datetime | None) -> Result:
        """Tell the shape by what is there, in whatever order."""
        names = MEMBERS(data)
        given = present(names)
        if "topicName" in given:
            return self._notification(data, given, read_at)
        if "detail" in given:
            if "detail" not in present(MEMBERS(given["detail"])):
                return self._by_keys(given["detail"], read_at)
        elif "participants" in names:
            return self._rest(data, given.get("participants", NOBODY), read_at)
        elif "result" in given:
            answer = ANSWER(data)
            return System(SystemKind.RESULT, str(answer.result), answer.status)
        elif "message" in given:
            return System(SystemKind.REQUEST)
        elif not CALLBACK_FIELDS.isdisjoint(names):
            return self._translator.bare(self._bare(data), read_at)
        raise FrameError(
            FrameFault.UNKNOWN_SHAPE, "neither a notification, a conversation nor a callback"
        )

    def _notification(
        self, data: bytes | Raw, given: dict[str, Raw], read_at: datetime | None
    ) -> Result:
        topic = TEXT(given["topicName"]).lower()
        if match := TOPIC.fullmatch(topic):
            return self._conversation(data, match[1] is not None, read_at)
        if topic == "channel.metadata":
            message = SYSTEM_MESSAGE(given.get("eventBody", NOTHING))
            pong = (message.message or "").lower() == "pong"
            return System(SystemKind.PONG if pong else SystemKind.HEARTBEAT, message=message)
        if topic.startswith("v2.system."):
            message = SYSTEM_MESSAGE(given.get("eventBody", NOTHING))
            about = message.system_topic_type or topic.split(".")[2]
            return System(SYSTEM_KINDS.get(about, SystemKind.OTHER), message=message)
        if not WELL_FORMED.fullmatch(topic):
            raise FrameError(FrameFault.UNKNOWN_SHAPE, "$.topicName is not the name of a topic")
        return Ignored(self._kind(topic))

    def _rest(self, data: bytes | Raw, participants: Raw, read_at: datetime | None) -> Result:
        """Read a REST conversation, whose participants tell the shape."""
        names = {
            name
            for participant in PARTICIPANTS(participants)
            for name, raw in participant.items()
            if bytes(raw) not in ABSENT
        }
        if names.isdisjoint(("callbacks", "calls")) and not names.isdisjoint(FLAT_ONLY):
            return self._translator.flat(self._flat(data), read_at) or NO_CALLBACK
        return self._translator.generic(self._generic(data), read_at) or NO_CALLBACK

    def _kind(self, topic: str) -> str:
        """Replace a topic's ids; once `TOPIC_KINDS` are known, a new one is `other`."""
        first, *rest = topic.split(".")
        parts = ("{id}" if any(map(str.isdigit, part)) else part for part in rest)
        kind = ".".join((first, *parts))
        return kind if kind in self.ignored or len(self.ignored) < TOPIC_KINDS else "other"

    def _sample(self, data: bytes, snapshot: Snapshot) -> None:
        """Look into one snapshot in `SAMPLE_EVERY` for fields that no struct knows."""
        self._until_sample -= 1
        if self._until_sample > 0:
            return
        self._until_sample = SAMPLE_EVERY
        try:
            body = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return  # typed decoding skips what it does not know without reading it closely
        for wrapper in ("detail", "eventBody"):
            body = body.get(wrapper) or body
        struct: type[Wire] = Conversation if snapshot.shows_voice else CallbackConversation
        self._new_fields.look(body, struct if "participants" in body else Callback)


NOTHING = Raw(b"{}")
NOBODY = Raw(b"[]")
MEMBERS = JsonDecoder(dict[str, Raw]).decode
PARTICIPANTS = JsonDecoder(list[dict[str, Raw]]).decode
TEXT = JsonDecoder(str).decode
ANSWER = JsonDecoder(Answer).decode
SYSTEM_MESSAGE = JsonDecoder(SystemMessage).decode


def shaped(frame: Json) -> Json:
    """Prune a frame, but leave a name that tells its shape."""
    kept = pruned(frame)
    if not isinstance(frame, dict):
        return kept
    names = {"participants"} & frame.keys()
    if not CALLBACK_FIELDS.isdisjoint(frame):
        names.add("state")
    return dict.fromkeys(names) | (kept if isinstance(kept, dict) else {})


def present(members: dict[str, Raw]) -> dict[str, Raw]:
    """Give an object's members without those that are `null` or `{}`."""
    return {name: raw for name, raw in members.items() if bytes(raw) not in ABSENT}


def told(error: msgspec.ValidationError) -> str:
    """Say which types did not fit and where, without the value."""
    match = REFUSED.fullmatch(str(error))
    if match is None:
        return "the frame is not an object"
    return f"{match[1] or 'not allowed'} at {match[2]}"
