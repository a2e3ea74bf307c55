"""The shapes in which training scripts print epoch, step, totals and losses. Linear on hostile lines."""

from __future__ import annotations

import re

_NUMBER = r"[-+]?(?:\d{1,15}(?:\.\d{0,12})?|\.\d{1,12})(?:[eE][-+]?\d{1,3})?"
_LOSS_NUMBER = rf"(?:{_NUMBER}|[-+]?(?i:nan|inf(?:inity)?))"

# `epoch` as a word of its own: not `num_epochs`, `max_epochs=8`, `warmup_epochs` or `epochs: 100`.
_EPOCH = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-]|(?<=train/)|(?<=trainer/))(?:[Ee]poch|EPOCH)(?:['\"]?\s{0,3}[:=]\s{0,3}|\s{1,3}|\s?[#\[]\s?)"
    rf"['\"]?[\[(]?\s{{0,6}}({_NUMBER})['\"]?(?:\s{{0,3}}(?:/|of)\s{{0,3}}(\d{{1,9}}))?[\])]?"
)
_STEP = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-]|(?<=train/)|(?<=trainer/))"
    r"(?:[Gg]lobal[_ ]?[Ss]tep|[Ss]tep|STEP|[Ii]teration|ITERATION|[Ii]ter|[Uu]pdate)"
    r"(?:['\"]?\s{0,3}[:=]\s{0,3}|\s{1,12}|\s?[#\[]\s?)"
    r"['\"]?[\[(]?\s{0,12}(\d{1,15})(?![\d.]*[KkMm]\b)['\"]?(?:\s{0,3}(?:/|of)\s{0,6}(\d{1,15}))?[\])]?"
)
LOSS = re.compile(
    r"(?:^|[^A-Za-z0-9_/.-])(?:train(?:ing)?[_/ ])?(?:[Ll]oss|LOSS|lm loss)['\"]?\s{0,3}[:=]?\s{0,3}['\"]?"
    rf"({_LOSS_NUMBER})(?![\w%]|,\d)"
)
OTHER_LOSS = re.compile(r"(?i)(?:val|valid|validation|eval|test)[a-z]{0,6}[_/ ]{1,2}(?:lm )?loss")
BAR = re.compile(r"(\d{1,3})%\|[^|]{0,200}\|\s{0,3}(\d{1,12})/(\d{1,12})\s{1,3}\[")
EPOCH_BAR = re.compile(r"(?i)epoch\s?[:#]?\s?\[?(\d{1,9})(?:/(\d{1,9}))?\]?[^\n]{0,40}\d{1,3}%\|")
METRIC_LOGGER = re.compile(r"Epoch: \[(\d{1,9})\]\s{1,3}\[\s{0,9}\d{1,9}/\d{1,9}\]")
# timm, and ijepa's CSV-like lines
_TIMM = re.compile(r"(?:^|\s)Train: (\d{1,6})(?:/(\d{1,6}))? \[\s{0,9}\d{1,9}/\d{1,9}")
_PAIRED = re.compile(r"\[(\d{1,6}),\s{1,8}\d{1,9}\] (?:train_)?loss")
_FAIRSEQ = re.compile(r"epoch (\d{1,6}):\s{1,6}\d{1,9} / \d{1,9} ")
EPOCH_SHAPES = (EPOCH_BAR, METRIC_LOGGER, _FAIRSEQ, _TIMM, _PAIRED, _EPOCH)
# fairseq's updates; Composer's batches where they are counted over the whole run
STEP_SHAPES = (_STEP, re.compile(r"num_updates=(\d{1,12})(?!\d)()"), re.compile(r"^\[batch=(\d{1,12})/(\d{1,12})\]"))
# Lightning's last words, and its rich bar, which counts from 0 up to the last epoch.
STOPPED = re.compile(r"Trainer\.fit` stopped: `max_(epochs|steps)=(\d{1,15})` reached")
RICH_BAR = re.compile(r"Epoch \d{1,9}/(\d{1,9})\s{1,4}[━╸╺]")
# Lines that only look like progress: W&B's closing summary, tracebacks, configuration.
NOT_PROGRESS = re.compile(r"^\s{0,3}wandb:|^\s{0,4}File \"|(?:warmup|eval|save|logging)_(?:steps|epochs)|^\s{0,40}#")
PAIR = re.compile(rf"['\"]([A-Za-z_/ .-]{{1,60}})['\"]\s?:\s?['\"]?({_LOSS_NUMBER})['\"]?(?=[,}}\s])")
