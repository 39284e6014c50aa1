"""PyTorch checkpoints: both formats, every layout of a tensor, and nothing that the file names is ever run."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from trainer.errors import UserError
from trainer.weights import torch_pickle
from trainer.weights.torch_file import read_torch_file

STATE = {"conv.weight": np.arange(24, dtype="<f4").reshape(2, 3, 2, 2), "bn.num_batches_tracked": np.array(7, "<i8")}


@pytest.fixture(params=[False, True], ids=["zip", "legacy"])
def legacy(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.pth"


class TestTensors:
    def test_are_read_by_name(self, save_torch, path, legacy):
        read = read_torch_file(save_torch(path, STATE, legacy=legacy))
        assert read.keys() == STATE.keys()
        for name, expected in STATE.items():
            np.testing.assert_array_equal(read[name], expected, strict=True)

    @pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
    def test_are_found_in_a_wrapper(self, save_torch, path, legacy, wrapper):
        assert read_torch_file(save_torch(path, STATE, legacy=legacy, wrapper=wrapper)).keys() == STATE.keys()

    @pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "<i8"])
    def test_keep_their_type(self, save_torch, path, legacy, dtype):
        expected = np.array([0, 1, -2.5, 3], dtype)
        np.testing.assert_array_equal(read_torch_file(save_torch(path, {"w": expected}, legacy=legacy))["w"], expected)

    def test_bfloat16_is_the_upper_half_of_a_float32(self, save_torch, torch_tensor, path, legacy):
        numbers = np.array([1.5, -3.0, 2.0**100], "<f4")
        data = numbers.view("<u2")[1::2].tobytes()
        tensor = torch_tensor(numbers, data=data, storage="BFloat16Storage")
        read = read_torch_file(save_torch(path, {"w": tensor}, legacy=legacy))["w"]
        np.testing.assert_array_equal(read, numbers, strict=True)

    def test_strides_and_offset_are_honoured(self, save_torch, torch_tensor, path, legacy):
        base = np.arange(60, dtype="<f4").reshape(3, 4, 5)
        tensor = torch_tensor(base, shape=(2, 5), strides=(10, 1), offset=20)
        read = read_torch_file(save_torch(path, {"w": tensor}, legacy=legacy))["w"]
        np.testing.assert_array_equal(read, base[1, ::2])


class TestUserErrors:
    def test_name_off_the_list_is_not_called(self, save_torch, tmp_path, path, legacy):
        trace = tmp_path / "was here"

        class Harmful:
            def __reduce__(self):
                return os.mkdir, (str(trace),)

        pickled = pickle.dumps({"state_dict": {"w": Harmful()}}, protocol=2)
        pickle.loads(pickled)
        trace.rmdir()  # so it does what it says
        with pytest.raises(UserError, match=r"it names \w+\.mkdir, which is not part of a plain state dict"):
            read_torch_file(save_torch(path, {}, legacy=legacy, pickled=pickled))
        assert not trace.exists()

    @pytest.mark.parametrize(
        "name", ["os system", "builtins eval", "torch load", "torch.FloatStorage __init__", "collections namedtuple"]
    )
    def test_global_alone(self, save_torch, path, legacy, name):
        module, attribute = name.split()
        pickled = b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + b"."
        with pytest.raises(UserError, match=f"it names {module}.{attribute}, which"):
            read_torch_file(save_torch(path, {}, legacy=legacy, pickled=pickled))

    @pytest.mark.parametrize("fraction", [0.02, 0.5, 0.9, 0.99])
    def test_truncated_file(self, save_torch, path, legacy, fraction):
        whole = save_torch(path, STATE, legacy=legacy).read_bytes()
        path.write_bytes(whole[: int(len(whole) * fraction)])
        with pytest.raises(UserError, match=r"is not a whole PyTorch checkpoint .*: download it again"):
            read_torch_file(path)

    @pytest.mark.parametrize(
        "layout",
        [
            {"shape": (1000, 1000), "strides": (0, 0)},
            {"shape": (4,), "strides": (2,)},
            {"offset": 1},
            {"offset": -1},
            {"shape": (1,) * 65, "strides": (1,) * 65},
            {"shape": (-1,), "strides": (1,)},
            {"elements": 2**28},
        ],
        ids=str,
    )
    def test_a_tensor_that_is_larger_than_its_storage(self, save_torch, torch_tensor, path, legacy, layout):
        tensor = torch_tensor(np.zeros(4, "<f4"), **layout)
        with pytest.raises(UserError, match="is not a whole PyTorch checkpoint"):
            read_torch_file(save_torch(path, {"w": tensor}, legacy=legacy))

    @pytest.mark.parametrize(
        ("pickled", "message"),
        [
            # Hashed, the first would end the process, and the second take 2^40 steps.
            (b"})" + b"\x85" * 400_000 + b"Ns", "keys are neither names nor numbers"),
            (b"})" + b"q\x01h\x01\x86" * 40 + b"Ns", "keys are neither names nor numbers"),
            (b"ccollections\nOrderedDict\n)N\x86\x85\x85R", "keys are neither names nor numbers"),
            (b"(NNN)" + b"q\x01h\x01\x86" * 40 + b"NtQ", "a reference to something other than a storage"),
            (b"\x8f", "pickle instruction 143, which torch.save has no use for"),  # a set
            (b"ctorch\nFloatStorage\n)\x81", "pickle instruction 129"),  # an object of a class
        ],
        ids=["deep key", "wide key", "key in a call", "wide reference", "set", "object"],
    )
    def test_instructions_that_make_anything_but_tensors(self, save_torch, path, legacy, pickled, message):
        with pytest.raises(UserError, match=message):
            read_torch_file(save_torch(path, {}, legacy=legacy, pickled=b"\x80\x02" + pickled + b"."))

    @pytest.mark.parametrize(
        "attributes",
        [
            b"ctorch\nFloatStorage\n]X\x0b\0\0\0BoolStorageab",
            b"ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\0\0\0__defaults__(I1\nts\x86b",
        ],
    )
    def test_attributes_so_the_next_file_is_read_as_ever(self, save_torch, path, legacy, attributes):
        pickled = b"\x80\x02" + attributes + b"."
        with pytest.raises(UserError):
            read_torch_file(save_torch(path, {}, legacy=legacy, pickled=pickled))
        np.testing.assert_array_equal(
            read_torch_file(save_torch(path, STATE, legacy=legacy))["conv.weight"], STATE["conv.weight"]
        )
        assert torch_pickle._rebuild_tensor.__defaults__ is None

    def test_a_memo_that_would_take_gigabytes(self, save_torch, path, legacy):
        pickled = b"\x80\x02Nr\xff\xff\xff\x7f."
        with pytest.raises(UserError, match="holds no state dict"):
            read_torch_file(save_torch(path, {}, legacy=legacy, pickled=pickled))

    def test_what_a_terminal_would_obey(self, save_torch, path, legacy):
        with pytest.raises(UserError, match=r"it names os.\\x1b\[31msystem, which"):
            read_torch_file(save_torch(path, {}, legacy=legacy, pickled=b"\x80\x02cos\n\x1b[31msystem\n."))
        with pytest.raises(UserError, match="characters that cannot be printed"):
            read_torch_file(save_torch(path, {"\x1b[31mw": np.zeros(1, "<f4")}, legacy=legacy))

    def test_compressed_members(self, save_torch, path):
        state = {"w": np.zeros(100_000, "<f4")}
        with pytest.raises(UserError, match="its members are compressed"):
            read_torch_file(save_torch(path, state, compression=zipfile.ZIP_DEFLATED))

    def test_big_endian_numbers(self, save_torch, path, legacy):
        with pytest.raises(UserError, match="big-endian"):
            read_torch_file(save_torch(path, STATE, legacy=legacy, byteorder=b"big"))

    def test_a_file_without_tensors(self, save_torch, path, legacy):
        with pytest.raises(UserError, match="it holds no state dict"):
            read_torch_file(save_torch(path, {}, legacy=legacy, pickled=pickle.dumps([1, 2], protocol=2)))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty: download it again"),
            (b"<!DOCTYPE html><html>Quota exceeded", "is a web page"),
            (b"\n\n<html>", "is a web page"),
            (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
            (b'\x10\0\0\0\0\0\0\0{"w":{}}', "is a safetensors file"),
            (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
            (b"some text that is long enough", "is not a whole PyTorch checkpoint"),
            (b"\x80\x04K\x01.", "is not a whole PyTorch checkpoint"),
        ],
    )
    def test_other_files(self, path, content, message):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_torch_file(path)

    def test_other_zips(self, path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model.weights.h5", b"")
        with pytest.raises(UserError, match=r"has no data.pkl\). It is a .keras file"):
            read_torch_file(path)

    def test_a_path_that_is_not_there(self, path):
        with pytest.raises(UserError, match="there is no such file"):
            read_torch_file(path)
