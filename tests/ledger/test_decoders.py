import subprocess
import sys
from typing import Any

import msgspec
import pytest

from ledger.decoders import convert, json_decoder, msgpack_decoder

THREADS_FIRST_DECODERS = """
import sys, threading
import msgspec
from ledger.decoders import convert, json_decoder, msgpack_decoder

sys.setswitchinterval(1e-6)
fields = [(f"field_{number}", dict[str, list[int]] | None, None) for number in range(15)]
types = [msgspec.defstruct("Innermost", fields)]
for depth in range(100):
    types.append(msgspec.defstruct(f"Depth{depth}", [*fields, ("inner", types[-1] | None, None)]))
value = {"field_0": {"a": [1]}, "inner": {"field_14": {"a": [2]}, "inner": {"field_7": {"a": [3]}}}}
encoded, packed = msgspec.json.encode(value), msgspec.msgpack.encode(value)
turns = threading.Barrier(4)

def decode():
    turns.wait()
    for kind in reversed(types[2:]):
        assert json_decoder(kind).decode(encoded) == msgpack_decoder(kind).decode(packed) == convert(value, kind)

threads = [threading.Thread(target=decode) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("whole")
"""


class Inner(msgspec.Struct):
    numbers: tuple[int, ...]


class Outer(msgspec.Struct):
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("plain", "read"),
    [({}, Outer()), ({"inner": None}, Outer()), ({"inner": {"numbers": [1, 2]}}, Outer(Inner((1, 2))))],
)
def test_all_three_read_the_same(plain: dict[str, Any], read: Outer) -> None:
    assert json_decoder(Outer).decode(msgspec.json.encode(plain)) == read
    assert msgpack_decoder(Outer).decode(msgspec.msgpack.encode(plain)) == read
    assert convert(plain, Outer) == read


@pytest.mark.parametrize("plain", [[], {"inner": 1}, {"inner": {}}, {"inner": {"numbers": ["1"]}}])
def test_a_value_of_another_shape_is_refused(plain: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(plain, Outer)
    with pytest.raises(msgspec.ValidationError):
        json_decoder(Outer).decode(msgspec.json.encode(plain))


def test_threads_that_decode_a_type_for_the_first_time_do_not_end_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", THREADS_FIRST_DECODERS],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "whole", "")
