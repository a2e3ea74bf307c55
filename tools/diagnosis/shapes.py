"""The shapes in which training scripts print epoch, step, totals and losses. Linear on hostile lines."""

from __future__ import annotations

import re

from tools.seldom import seldom

_NUMBER = r"[-+]?(?:\d{1,15}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][-+]?\d{1,3})?"
_LOSS_NUMBER = rf"(?:{_NUMBER}|[-+]?(?i:nan|inf(?:inity)?))"

# `epoch` as a word of its own: not `num_epochs`, `max_epochs=8`, `warmup_epochs` or `epochs: 100`.
EPOCH = re.compile(
    r"(?:^|(?<!best)(?<!Best)(?<!BEST)[^A-Za-z0-9_/.-]|(?<=train/)|(?<=trainer/))(?:[Ee]poch|EPOCH)"
    r"(?:['\"]?\s{0,3}[:=]\s{0,3}|\s{1,3}|\s?[#\[]\s?)"
    rf"['\"]?[\[(]?\s{{0,6}}({_NUMBER})(?![\d.]*%)['\"]?(?:\s{{0,3}}(?:/|(?:out )?of)\s{{0,3}}(\d{{1,9}}))?[\])]?"
)
STEP = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-]|(?<=train/)|(?<=trainer/))"
    r"(?:[Gg]lobal[_ ]?[Ss]tep|[Ss]tep|STEP|[Ii]teration|ITERATION|[Ii]ter|[Uu]pdate)"
    r"(?:['\"]?\s{0,3}[:=]\s{0,3}|\s{1,12}|\s?[#\[]\s?)"
    r"['\"]?[\[(]?\s{0,12}(\d{1,3}(?:,\d{3}){1,4}(?![\d,])"
    r"|\d{1,15}(?!,\d{3}\b))(?!\d|\.\d)(?![\d.]*[KkMm]\b)['\"]?(?:\s{0,3}(?:/|of)\s{0,6}([\d,]{1,15}))?[\])]?"
)
LOSS_BEFORE = 14  # `,training_lm l`
LOSS = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-])(?:train(?:ing)?[_/ ])?(?:[Ll]oss(?:_step)?|LOSS|lm loss)['\"]?\s{0,3}[:=]?\s{0,3}['\"]?"
    rf"({_LOSS_NUMBER})(?![\w%]|[.,]\d)"
)
OTHER_LOSS = re.compile(r"(?i)(?:val|valid|validation|eval|test)[a-z]{0,6}[_/ .:-]{1,3}(?:lm )?loss")
# While they evaluate, timm and torchvision's scripts print a line a batch: `Test: [ 10/97] … Loss: 0.5 (0.6)`; at its
# end come `* Acc@1 75.0 Acc@5 92.1 loss 1.0`, fairseq's `| valid on 'valid' subset | loss 7.2`, mmengine's.
_EVALUATED = r"\* Acc@1|Epoch\(val\)|\|\s?valid(?: on '|\s?\|)"
EVALUATED = re.compile(_EVALUATED)
EVALUATION = re.compile(
    rf"(?:^|[\s|:-])(?:Test|Val|Valid|Validation|Eval|Evaluation):?\s{{1,3}}\[\s{{0,9}}\d|{_EVALUATED}"
)
# Of bars with a label only these count steps of the whole run; any other is a data set's, a download's, an epoch's.
OVER_ALL = re.compile(
    r"(?i)(?:\[?(?:rank ?)?\d{1,5}\]?:|\([^)]{0,80}\))? ?(?:(?:[a-z]{1,12} )?(?:steps?|iterations?|progress):?)?$"
)
BAR = re.compile(r"(\d{1,3})%\|[^|]{0,200}\|\s{0,3}(\d{1,12})/(\d{1,12})\s{1,3}\[")
EPOCH_BAR = re.compile(r"(?i)epoch\s?[:#]?\s?\[?(\d{1,9})(?:/(\d{1,9}))?\]?[^\n]{0,40}\d{1,3}%\|")
METRIC_LOGGER = seldom(r"Epoch: \[(\d{1,9})\]\s{1,3}\[\s{0,9}\d{1,9}/\d{1,9}\]")
# timm, and ijepa's CSV-like lines
_TIMM = seldom(r"(?:^|\s)Train: (\d{1,6})(?:/(\d{1,6}))? \[\s{0,9}\d{1,9}/\d{1,9}")
_PAIRED = seldom(r"\[\s{0,6}(\d{1,6})(?:,\s{1,8}\d{1,9}|\]\[\s{0,9}\d{1,9}/\d{1,9})\] (?:train_)?loss")
_FAIRSEQ = seldom(r"epoch (\d{1,6}):\s{1,6}\d{1,9} / \d{1,9} ")
# mmengine; a bar over the epochs
_MMENGINE = seldom(r"Epoch\(train\)\s{1,4}\[\s{0,6}(\d{1,6})\]")
_EPOCHS_BAR = seldom(r"(?i)\bepochs:?\s{1,6}\d{1,3}%\|[^|]{0,200}\|\s{0,3}(\d{1,9})/(\d{1,9})\s{1,3}\[")
# Ultralytics: epoch, and the memory of the GPU
_YOLO = seldom(r"^\s{2,12}(\d{1,6})/(\d{1,6})\s{2,12}[\d.]{1,8}G\s{2}")
_YOLO_DONE = seldom(r"^(?:\S{1,40} )?(\d{1,6}) epochs completed in ")
ANYWHERE = 1 << 20
Shape = tuple[tuple[str, ...], int, re.Pattern[str]]
"""What a line of this shape holds, without digits, and how far before that a match may begin, and the pattern."""
EPOCH_SHAPES: tuple[Shape, ...] = (
    (("%|",), ANYWHERE, EPOCH_BAR),
    (("%|",), ANYWHERE, _EPOCHS_BAR),
    (("Epoch(train)",), 0, _MMENGINE),
    (("Epoch: [",), 0, METRIC_LOGGER),
    ((" / ",), ANYWHERE, _FAIRSEQ),
    (("G  ",), ANYWHERE, _YOLO),
    (("epochs completed",), ANYWHERE, _YOLO_DONE),
    (("Train: ",), 1, _TIMM),
    (("] loss", "] train_loss"), ANYWHERE, _PAIRED),
    (("poch", "POCH"), 2, EPOCH),  # what stands before the word, and its first letter
)
# fairseq's updates; Composer's batches where they are counted over the whole run
STEP_SHAPES: tuple[Shape, ...] = (
    (("tep", "TEP", "ter", "TER", "pdate"), 10, STEP),  # `,global_s`
    (("num_updates",), 0, seldom(r"num_updates[= ](\d{1,12})(?!\d)()")),
    (("[batch=",), 0, seldom(r"^\[batch=(\d{1,12})/(\d{1,12})\]")),
    (("Iter(train)",), 0, seldom(r"Iter\(train\)\s{1,4}\[\s{0,9}(\d{1,12})/(\d{1,12})\]")),
    # DeepSpeed, and the timer of it; clu's log writer
    (("steps: ",), 1, seldom(r"\bsteps: (\d{1,12}) loss: ()")),
    (("/micro_step=",), 0, seldom(r"/micro_step=\d{1,12}/global_step=(\d{1,12})()(?!\d)")),
    (("logging_writer.py:",), 0, seldom(r"logging_writer\.py:\d{1,6}\] \[(\d{1,12})\]() ")),
    # Stable-Baselines3
    (("total_timesteps",), ANYWHERE, seldom(r"^\|\s{1,8}total_timesteps\s{1,20}\|\s{1,4}(\d{1,12})()\s")),
)
# Lightning's last words, and its rich bar, which counts from 0 up to the last epoch.
STOPPED = re.compile(r"Trainer\.fit` stopped: `max_(epochs|steps)=(\d{1,15})` reached")
# What the Hugging Face Trainer says before it begins.
BEGINS = re.compile(r"^\s{0,4}(?:Num (Epochs)|Total optimization steps) = ([\d,]{1,15})$")
RICH_BAR = seldom(r"Epoch \d{1,9}/(\d{1,9})\s{1,4}[━╸╺]")
# Lines that only look like progress: W&B's closing summary, tracebacks, configuration. Without the words none is one.
NOT_PROGRESS_WORDS = ("wandb:", 'File "', "Error: ", "Exception: ", "#")
NOT_PROGRESS = re.compile(r"\s{0,3}wandb:|\s{0,4}File \"|\S{0,80}(?:Error|Exception): |\s{0,40}#")
CONFIGURATION_WORDS = ("Namespace(", "_steps", "_epochs")
CONFIGURATION = re.compile(r"\bNamespace\(|(?:warmup|eval|save|logging)_(?:steps|epochs)")
TAKEN_UP = re.compile(r"(?i)resum|restor|load|continu|start|begin")
# An epoch or loss behind such a word is one that is past: `Best metric: 81.3 (epoch 294)`, not where the run stands.
RECORD_WORDS = ("est", "EST", "eak", "imum")
RECORD = re.compile(
    r"(?i)(?<![a-z])(?:best|lowest|highest|peak|(?:min|max)imum)(?![a-z])[^|\])\t;]{0,160}?"
    r"(?<![a-z])(?:epoch|step|iter(?:ation)?|loss)(?![a-z])"
)
COUNTED = re.compile(r"(?i)(?<![a-z])(?:epoch|step|iter(?:ation)?|train)(?![a-z])")
_AFTER = r"['\"]?\s{0,3}[:=]?\s{0,3}['\"]?"
HELD_OUT_LOSS = re.compile(
    r"(?i)(?<!best[_ ])(?<![a-z])(val|valid|validation|eval|evaluation|test)(?:[a-z]{0,6})[_/ .:-]{1,3}(?:lm )?"
    r"loss(?:_epoch)?(?: at iteration \d{1,12} {0,3}\| {0,3}lm loss value)?"
    rf"{_AFTER}({_LOSS_NUMBER})(?![\w%]|[.,]\d)"
)
GRAD_NORM = re.compile(
    rf"(?i)(?<!max.)(?<!clip.)(?<![a-z])(?:grad(?:ient)?[_ ]?norm|gnorm){_AFTER}({_LOSS_NUMBER})(?![\w%]|[.,]\d)"
)
LEARNING_RATE = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-]|(?<=train/))(?:lr|LR|[Ll]earning[_ ][Rr]ate|last_lr)"
    rf"{_AFTER}[\[(]?({_NUMBER})(?![\w%]|[.,]\d)"
)
PAIR = re.compile(rf"['\"]([A-Za-z_/ .-]{{1,60}})['\"]\s?:\s?['\"]?({_LOSS_NUMBER})['\"]?(?=[,}}\s])")
NESTED = re.compile(r"\{[^{}]{0,2000}\}")
