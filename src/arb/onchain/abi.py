"""Calls of contracts as values, and how answers, logs and refusals are read.

A contract is described by the few functions, events and errors that are used: either as `function`,
`event` and `error` write them down, or as entries of its JSON ABI.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.exceptions import DecodingError
from web3 import Web3

from arb.domain.errors import BadVenueData
from arb.net.rpc import Call, Log, Reverted, View

Fragment = dict[str, Any]
"""An entry of a JSON ABI."""

_CODEC: Final = Web3().codec
PANICS: Final = {
    0x01: "an assertion failed",
    0x11: "an amount over- or underflows",
    0x12: "a division by zero",
    0x32: "an index beyond the end",
}


def function(name: str, *takes: str, returns: Sequence[str] = ()) -> Fragment:
    """A function by the types that it takes and returns; a struct is `(address,uint256)`."""
    return {
        "type": "function",
        "name": name,
        "inputs": [_parameter(kind) for kind in takes],
        "outputs": [_parameter(kind) for kind in returns],
        "stateMutability": "nonpayable",
    }


def event(name: str, /, **holds: str) -> Fragment:
    """An event by its parameters: `amount="uint256"`, `user="indexed address"`."""
    inputs = [
        {
            **_parameter(kind.removeprefix("indexed "), parameter),
            "indexed": kind.startswith("indexed "),
        }
        for parameter, kind in holds.items()
    ]
    return {"type": "event", "name": name, "inputs": inputs, "anonymous": False}


def error(name: str, *holds: str) -> Fragment:
    """An error of a contract's own."""
    return {"type": "error", "name": name, "inputs": [_parameter(kind) for kind in holds]}


@dataclass(frozen=True, slots=True)
class Event:
    """A log, read."""

    name: str
    values: Mapping[str, Any]
    """By parameter. An indexed text or struct is its hash alone."""
    log: Log


class Contract:
    """What is used of a kind of contract. Overloaded functions are named with their types."""

    def __init__(self, *fragments: Mapping[str, Any]) -> None:
        self._functions: dict[str, Mapping[str, Any]] = {}
        self._events: dict[str, Mapping[str, Any]] = {}
        self._errors: dict[str, Mapping[str, Any]] = {**_BUILT_IN}
        self._constructor: Mapping[str, Any] | None = None
        for fragment in fragments:
            match fragment["type"]:
                case "function":
                    self._functions.setdefault(fragment["name"], fragment)
                    self._functions[_signature(fragment)] = fragment
                case "event":
                    self._events[self._topic(fragment)] = fragment
                case "error":
                    self._errors[self._topic(fragment)[:10]] = fragment
                case "constructor":
                    self._constructor = fragment
                case _:
                    pass

    def call(self, to: str, name: str, *args: Any, value: int = 0, gas: int = 0) -> Call:
        """A call of a function.

        Args:
            to: The contract.
            name: The function: `swap`, or `swap(uint256,bytes)` where there are several.
            args: What it takes; addresses are hex with `0x`, bytes are bytes, structs tuples.
            value: What is sent along of the chain's own coin, in wei.
            gas: The most that it may use; 0: what the node allows.

        Raises:
            TypeError: The arguments do not fit.
        """
        return Call(to, self.encode(name, *args), value, gas)

    def encode(self, name: str, *args: Any) -> str:
        """The data of a call, hex with `0x`."""
        fragment = self._functions[name]
        return self._topic(fragment)[:10] + _encode(fragment, args).hex()

    def view(self, to: str, name: str, *args: Any) -> View[Any]:
        """A question: its answer is the one value that is returned, or all of them as a tuple."""
        return View(self.call(to, name, *args), lambda answer: self.read(name, answer))

    def read(self, name: str, answer: str) -> Any:
        """What a function has returned; addresses in small letters.

        Raises:
            BadVenueData: It returned something else: there is no such contract there.
        """
        kinds = _kinds(self._functions[name]["outputs"])
        values = _decode(kinds, bytes.fromhex(answer.removeprefix("0x")), name)
        return values[0] if len(values) == 1 else values

    def deploy(self, bytecode: str, *args: Any, gas: int = 0) -> Call:
        """What makes a new contract of compiled code."""
        made = "" if self._constructor is None else _encode(self._constructor, args).hex()
        return Call("", "0x" + bytecode.removeprefix("0x") + made, 0, gas)

    def topic(self, name: str) -> str:
        """The first topic of an event's logs, to ask for them."""
        return next(topic for topic, one in self._events.items() if one["name"] == name)

    def event(self, log: Log) -> Event | None:
        """A log as its event; `None` where it is of none that is described here.

        Raises:
            BadVenueData: It holds something else than its event does.
        """
        fragment = self._events.get(log.topics[0]) if log.topics else None
        if fragment is None:
            return None
        indexed = [one for one in fragment["inputs"] if one["indexed"]]
        plain = [one for one in fragment["inputs"] if not one["indexed"]]
        name = fragment["name"]
        if len(indexed) != len(log.topics) - 1:
            raise BadVenueData(name, f"{len(log.topics) - 1} indexed parameters")
        values = {
            one["name"]: _decode([_stored(kind)], bytes.fromhex(topic[2:]), name)[0]
            for one, kind, topic in zip(indexed, _kinds(indexed), log.topics[1:], strict=True)
        }
        found = _decode(_kinds(plain), bytes.fromhex(log.data[2:]), name)
        values |= zip((one["name"] for one in plain), found, strict=True)
        return Event(name, {one["name"]: values[one["name"]] for one in fragment["inputs"]}, log)

    def why(self, refusal: Reverted) -> str:
        """The reason of a refusal: the contract's own words or error, else the node's."""
        data = refusal.data
        fragment = self._errors.get(data[:10]) if data.startswith("0x") else None
        if fragment is None:
            return str(refusal)
        try:
            values = _decode(
                _kinds(fragment["inputs"]),
                bytes.fromhex(data[10:]),
                fragment["name"],
            )
        except BadVenueData:
            return str(refusal)
        if fragment["name"] == "Error":
            return str(values[0])
        if fragment["name"] == "Panic":
            return PANICS.get(values[0], f"panic {values[0]:#x}")
        return f"{fragment['name']}({', '.join(map(str, values))})"

    @staticmethod
    def _topic(fragment: Mapping[str, Any]) -> str:
        return str(Web3.keccak(text=_signature(fragment)).to_0x_hex())


def checksummed(address: str) -> str:
    """An address in the mixed case that shows a mistake in it."""
    return str(Web3.to_checksum_address(address))


def _parameter(kind: str, name: str = "") -> Fragment:
    """A parameter of a type as it is written in a signature."""
    if not kind.startswith("("):
        return {"name": name, "type": kind}
    inner, _, array = kind[1:].rpartition(")")
    return {
        "name": name,
        "type": f"tuple{array}",
        "components": [_parameter(one) for one in _apart(inner)],
    }


def _apart(kinds: str) -> list[str]:
    """The types of a struct, some of which may be structs."""
    parts, depth, begun = [], 0, 0
    for at, sign in enumerate(kinds):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            parts.append(kinds[begun:at])
            begun = at + 1
    return [*parts, kinds[begun:]]


def _kind(parameter: Mapping[str, Any]) -> str:
    """A parameter's type as it is written in a signature."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_kinds(parameter['components']))}){kind.removeprefix('tuple')}"


def _kinds(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_kind(one) for one in parameters]


def _signature(fragment: Mapping[str, Any]) -> str:
    return f"{fragment['name']}({','.join(_kinds(fragment['inputs']))})"


def _encode(fragment: Mapping[str, Any], args: Sequence[Any]) -> bytes:
    kinds = _kinds(fragment["inputs"])
    if len(kinds) != len(args):
        name = fragment.get("name", "the constructor")
        raise TypeError(f"{name} takes {len(kinds)} arguments, not {len(args)}")
    return bytes(_CODEC.encode(kinds, args))


def _decode(kinds: Sequence[str], data: bytes, where: str) -> tuple[Any, ...]:
    try:
        return tuple(_CODEC.decode(kinds, data))
    except (DecodingError, ValueError, OverflowError) as problem:
        # Of text that is none, and of lengths beyond all bounds, Python's own.
        raise BadVenueData(where, f"{len(data)} bytes are no {','.join(kinds)}") from problem


def _stored(kind: str) -> str:
    """How an indexed parameter is stored: what is longer than a word by its hash."""
    whole = kind in ("string", "bytes") or kind.endswith(("]", ")"))
    return "bytes32" if whole else kind


_BUILT_IN: Final = {
    "0x08c379a0": error("Error", "string"),
    "0x4e487b71": error("Panic", "uint256"),
}
