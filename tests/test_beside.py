"""The evidence names the thing itself where an error's own line only says that something is wrong."""

from __future__ import annotations

import pytest
from test_crash import TRACEBACK, classify, judge, load


def _told(text: str) -> str:
    return " / ".join(item.text for item in classify(TRACEBACK + text).evidence)


class TestFields:
    PYDANTIC = (
        "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Config\n"
        "optim.lr\n  Input should be greater than 0 [type=greater_than, input_value=-3, input_type=int]\n"
        "    For further information visit https://errors.pydantic.dev/2.5/v/greater_than\n"
        "data.path\n  Field required [type=missing, input_value={}, input_type=dict]\n"
    )

    def test_pydantic_names_the_field_and_what_is_wrong_with_it(self) -> None:
        found = classify(TRACEBACK + self.PYDANTIC)
        assert found.cause == "config_error"
        assert [item.where for item in found.evidence[:2]] == ["job.err:4", "job.err:5"]
        assert found.evidence[1].text.startswith("optim.lr Input should be greater than 0")
        assert found.detail["key"] == "optim.lr"

    def test_what_is_wrong_with_the_whole_model_has_no_field(self) -> None:
        text = (
            "pydantic.error_wrappers.ValidationError: 1 validation error for Config\n"
            "  Value error, warmup is longer than the training [type=value_error]\n"
        )
        found = classify(TRACEBACK + text)
        assert "warmup is longer than the training" in found.evidence[1].text
        assert "key" not in found.detail

    def test_another_ranks_line_between_is_not_taken_for_it(self) -> None:
        head, field, rest, *_ = self.PYDANTIC.splitlines()
        text = f"[rank0]: {head}\n[rank1]: something\n[rank0]: {field}\n[rank0]: {rest}\n"
        found = classify(f"[rank0]: Traceback (most recent call last):\n{text}")
        assert found.detail["key"] == "optim.lr"

    def test_jsonschema_says_where_it_looked(self) -> None:
        text = (
            "jsonschema.exceptions.ValidationError: 'fast' is not of type 'number'\n\n"
            "Failed validating 'type' in schema['properties']['lr']:\n    {'type': 'number'}\n\n"
            "On instance['lr']:\n    'fast'\n"
        )
        assert "On instance['lr']:" in _told(text)

    def test_omegaconf_says_where_the_key_is(self) -> None:
        text = (
            "omegaconf.errors.ConfigAttributeError: Key 'multistep' is not in struct\n"
            "    full_key: trainer.multistep\n    object_type=dict\n"
        )
        assert "full_key: trainer.multistep" in _told(text)

    def test_hydra_names_what_the_constructor_was_given(self) -> None:
        text = (
            "hydra.errors.InstantiationException: Error in call to target 'torch.optim.adam.Adam':\n"
            "TypeError(\"__init__() got an unexpected keyword argument 'learning_rate'\")\nfull_key: optimizer\n"
        )
        assert "unexpected keyword argument 'learning_rate'" in _told(text)


class TestParameters:
    @pytest.mark.parametrize(
        "line",
        [
            'Missing key(s) in state_dict: "fc.weight", "fc.bias". ',
            "size mismatch for fc.weight: copying a param with shape torch.Size([10, 20]) from checkpoint.",
        ],
    )
    def test_a_checkpoint_of_another_model(self, line: str) -> None:
        told = _told(f"RuntimeError: Error(s) in loading state_dict for Net:\n\t{line}\n")
        assert line.strip() in told

    def test_missing_and_unexpected_are_both_told(self) -> None:
        case, texts = load("py-state-dict")
        told = " ".join(item.text for item in judge(case, texts).evidence)
        assert '"0.weight"' in told and 'Unexpected key(s) in state_dict: "weight"' in told


class TestDevice:
    ASSERTED = (
        "../aten/src/ATen/native/cuda/Loss.cu:250: nll_loss_forward_reduce_cuda_kernel_2d: block: [0,0,0], "
        "thread: [{}] Assertion `t >= 0 && t < n_classes` failed.\n"
    )

    def test_the_assertion_stands_before_the_exception(self) -> None:
        before = "".join(self.ASSERTED.format(f"{n},0,0") for n in range(32))
        told = _told(before + TRACEBACK + "RuntimeError: CUDA error: device-side assert triggered\n")
        assert "Assertion `t >= 0 && t < n_classes` failed" in told

    def test_of_a_long_kernel_name_the_assertion_is_what_is_quoted(self) -> None:
        before = "/pytorch/IndexKernel.cu:92: " + "operator<at::native::Functor>" * 20
        text = f"{before}: Assertion `index out of bounds` failed.\n{TRACEBACK}"
        told = _told(text + "RuntimeError: CUDA error: device-side assert triggered\n")
        assert "Assertion `index out of bounds` failed" in told

    def test_an_ordinary_failed_assertion_is_no_devices(self) -> None:
        told = _told("Assertion `x` failed.\n" + TRACEBACK + "RuntimeError: CUDA error: out of memory\n")
        assert "Assertion" not in told
