"""The 25 losses of `equipoise bench loss` in PyTorch, written straightforwardly: value, gradient by autograd, ledger sums.

What depends on the training set alone (counts, groups, margins) is made once, outside of the time; what depends on the batch, on draws
or on the ledger is made in each step. Formulas are those of docs/losses.md.
"""

from functools import partial

import torch
import torch.nn.functional as F

CLASSES = 1203
IMAGES = 100_000
LOSSES = {}


def loss(columns):
    """Registers a function (batch, logits) -> value; `columns` are those of its head beyond the classes."""

    def add(function):
        LOSSES[function.__name__] = (CLASSES + columns, function)
        return function

    return add


class Batch:
    """Labels of which a quarter is foreground, the counts of a long tail, and a ledger whose ratios lie between 0 and 2."""

    def __init__(self, rows):
        self.rows = rows
        self.labels = torch.full((rows,), CLASSES)
        self.labels[::4] = torch.randint(0, CLASSES, (len(self.labels[::4]),))
        self.foreground = self.labels < CLASSES
        self.own = self.labels[self.foreground]
        self.objects = max(len(self.own), 1)
        self.counts = 1 + torch.div(50_000, (1 + torch.arange(CLASSES)) ** 2, rounding_mode="floor").float()
        self.positive, self.negative = torch.rand(CLASSES), torch.full((CLASSES,), 0.5)
        self.ratio = self.positive / (self.negative + 1e-10)
        self.gamma = 2 + 8 * (1 - self.ratio.clamp(0, 1))
        self.seen = torch.zeros(CLASSES)
        self.confusion = torch.full((CLASSES, CLASSES), 0.5)
        self.score = torch.full((CLASSES + 1,), 0.5)
        self.with_background = torch.cat([self.counts, 6.3313 * self.counts.sum()[None]])
        weight = (1 - 0.9999) / (1 - 0.9999**self.counts)
        self.balanced = torch.cat([weight * CLASSES / weight.sum(), torch.ones(1)])
        weight = self.counts**-0.5
        self.inverse = torch.cat([weight * CLASSES / weight.sum(), torch.ones(1)])
        weight = ((self.counts.sum() - self.counts) / self.counts).sqrt().clamp(1, 100)
        self.positives = torch.cat([weight, torch.ones(1)])
        margin = self.counts**-0.25
        self.margin = torch.cat([margin * 0.5 / margin.max(), torch.zeros(1)])
        self.group = torch.bucketize(self.counts, torch.tensor([10.0, 100.0, 1000.0]), right=True)
        others = CLASSES + 1 + torch.arange(5)
        self.groups = [torch.cat([(self.group == g).nonzero()[:, 0], others[g : g + 1]]) for g in range(4)]
        self.groups.append(torch.cat([torch.tensor([CLASSES]), others[4:]]))
        self.place = torch.zeros(CLASSES + 1, dtype=torch.long)
        for columns in self.groups:
            self.place[columns[:-1]] = torch.arange(len(columns) - 1)

    def one_hot(self, columns):
        target = torch.zeros(self.rows, columns)
        rows = self.labels < columns
        target[rows.nonzero()[:, 0], self.labels[rows]] = 1
        return target


def bce(z, target, weight=None):
    return F.binary_cross_entropy_with_logits(z, target, weight, reduction="sum")


@loss(1)
def softmax_ce(batch, z):
    return F.cross_entropy(z, batch.labels)


@loss(1)
def sigmoid_bce(batch, z):
    return bce(z, batch.one_hot(CLASSES + 1)) / batch.rows


@loss(1)
def eqlv2(batch, z):
    negative = torch.cat([torch.sigmoid(12 * (batch.ratio - 0.8)), torch.ones(1)])
    positive = 1 + 4 * (1 - negative)
    target = batch.one_hot(CLASSES + 1)
    return bce(z, target, positive * target + negative * (1 - target)) / batch.rows


@loss(0)
def eql(batch, z):
    target, rare = batch.one_hot(CLASSES), (batch.counts / IMAGES < 0.0011).float()
    return bce(z, target, 1 - batch.foreground.float()[:, None] * rare * (1 - target)) / batch.rows


@loss(2)
def seesaw(batch, z):
    seen = (batch.seen + torch.bincount(batch.own, minlength=CLASSES)).clamp(min=1)
    classes, own = z[batch.foreground, :CLASSES], batch.own[:, None]
    with torch.no_grad():
        scores = classes.softmax(1)
        shift = 0.8 * (seen / seen[own]).clamp(max=1).log()
        shift += 2 * (scores / scores.gather(1, own).clamp(min=0.01)).clamp(min=1).log()
        shift.scatter_(1, own, 0)
    of_objects = F.cross_entropy(z[:, CLASSES:], (~batch.foreground).long(), reduction="sum")
    return (F.cross_entropy(classes + shift, batch.own, reduction="sum") + of_objects) / batch.rows


@loss(0)
def federated(batch, z):
    present = torch.bincount(batch.own, minlength=CLASSES) > 0
    chances, more = batch.counts.sqrt() * ~present, 50 - int(present.sum())
    weight = present.float()
    if more > 0:
        weight[torch.multinomial(chances, more)] = 1
    return bce(z, batch.one_hot(CLASSES), weight) / batch.rows


@loss(0)
def droploss(batch, z):
    target, rare = batch.one_hot(CLASSES), batch.counts / IMAGES < 0.00177
    share = rare[batch.own].float().mean()
    dropped = (batch.foreground[:, None] | (torch.rand(batch.rows, CLASSES) > share)) & rare & (target == 0)
    return bce(z, target, (~dropped).float()) / batch.rows


@loss(1)
def acsl(batch, z):
    target = batch.one_hot(CLASSES + 1)
    weight = torch.maximum(target, (batch.foreground[:, None] & (z.detach().sigmoid() >= 0.7)).float())
    background = (~batch.foreground).nonzero()[:, 0]
    of_counts = torch.bucketize(batch.counts, torch.tensor([10.0, 100.0]))
    for group, part in enumerate((0.01, 0.1, 1.0)):
        rows = background[torch.randperm(len(background))[: int(part * len(background))]]
        weight[rows, :CLASSES] = torch.maximum(weight[rows, :CLASSES], (of_counts == group).float())
    return bce(z, target, weight) / batch.rows


@loss(6)
def bags(batch, z):
    value, group_of = 0, torch.cat([batch.group, torch.tensor([4])])[batch.labels]
    for group, columns in enumerate(batch.groups):
        members = group_of == group
        used = members.clone()
        others = (~members).nonzero()[:, 0]
        drawn = len(others) if group == 4 else int(8 * members.sum())
        used[others[torch.randperm(len(others))[:drawn]]] = True
        label = torch.where(members, batch.place[batch.labels], len(columns) - 1)
        if used.any() and (group == 4 or members.any()):
            value = value + F.cross_entropy(z[used][:, columns], label[used])
    return value


@loss(1)
def loce(batch, z):
    value = F.cross_entropy(z + batch.score.log(), batch.labels)
    with torch.no_grad():
        scores = z.softmax(1)[batch.foreground, batch.own]
        rows = torch.bincount(batch.own, minlength=CLASSES)
        sums = torch.zeros(CLASSES).index_add_(0, batch.own, scores)
        kept = 0.9 ** rows.float()
        torch.where(rows > 0, kept * batch.score[:-1] + (1 - kept) * sums / rows, batch.score[:-1])
    return value


@loss(1)
def ecm(batch, z):
    ratio = (batch.with_background.sum() - batch.with_background) / batch.with_background
    weight = ratio * (1 / ratio).log1p()
    return bce(2 * z - ratio.log() / 4, batch.one_hot(CLASSES + 1), weight.expand_as(z)) / batch.rows


@loss(1)
def fcbl(batch, z):
    mean = (batch.confusion / batch.seen.clamp(min=1)[:, None]).clamp(min=0.001)
    margin = torch.zeros(batch.rows, CLASSES + 1)
    margin[batch.foreground, :CLASSES] = 0.85 * (mean[batch.own] / mean.T[batch.own]).log()
    value = bce(z + margin, batch.one_hot(CLASSES + 1)) / batch.rows
    with torch.no_grad():
        torch.zeros(CLASSES, CLASSES).index_add_(0, batch.own, z[batch.foreground, :CLASSES].softmax(1))
    return value


@loss(1)
def balanced_softmax(batch, z):
    return F.cross_entropy(z + batch.with_background.log(), batch.labels)


@loss(1)
def logit_adjustment(batch, z):
    return F.cross_entropy(z + (batch.with_background / batch.with_background.sum()).log(), batch.labels)


@loss(1)
def ldam(batch, z):
    margins = torch.zeros_like(z).scatter_(1, batch.labels[:, None], batch.margin[batch.labels][:, None])
    return F.cross_entropy(30 * (z - margins), batch.labels)


@loss(1)
def class_balanced_softmax(batch, z):
    return F.cross_entropy(z, batch.labels, batch.balanced)


@loss(0)
def class_balanced_sigmoid(batch, z):
    weight = batch.balanced[batch.labels][:, None].expand_as(z)
    return bce(z, batch.one_hot(CLASSES), weight) / batch.rows


def focused(z, target, gamma):
    """(1 - p_t)^gamma BCE, as torchvision's sigmoid_focal_loss has it."""
    p = z.sigmoid()
    ce = F.binary_cross_entropy_with_logits(z, target, reduction="none")
    return ce * (1 - (p * target + (1 - p) * (1 - target))) ** gamma


@loss(0)
def class_balanced_focal(batch, z):
    terms = focused(z, batch.one_hot(CLASSES), 2) * batch.balanced[batch.labels][:, None]
    return terms.sum() / batch.objects


@loss(1)
def weighted_ce(batch, z):
    return F.cross_entropy(z, batch.labels, batch.inverse)


@loss(1)
def weighted_bce(batch, z):
    target = batch.one_hot(CLASSES + 1)
    value = F.binary_cross_entropy_with_logits(z, target, pos_weight=batch.positives, reduction="sum")
    return value / batch.rows


def alpha(target):
    return 0.25 * target + 0.75 * (1 - target)


@loss(0)
def focal(batch, z):
    target = batch.one_hot(CLASSES)
    return (alpha(target) * focused(z, target, 2)).sum() / batch.objects


@loss(0)
def efl(batch, z):
    target = batch.one_hot(CLASSES)
    return (alpha(target) * batch.gamma / 2 * focused(z, target, batch.gamma)).sum() / batch.objects


@loss(0)
def eqfl(batch, z):
    # Of a quality of 1, as the other side has it.
    target = batch.one_hot(CLASSES)
    ce = F.binary_cross_entropy_with_logits(z, target, reduction="none")
    return (batch.gamma / 2 * ce * (target - z.sigmoid()).abs() ** batch.gamma).sum() / batch.objects


@loss(0)
def softmax_eql(batch, z):
    logs = batch.positive.clamp(min=0.0001).log()
    return F.cross_entropy(z[batch.foreground] + logs - logs[batch.own][:, None], batch.own)


@loss(0)
def softmax_eqlv2(batch, z):
    share = batch.positive / (batch.positive.sum() + 0.0001)
    return F.cross_entropy(z[batch.foreground] + (share + 1e-9).log(), batch.own)


def step(batch, logits, function):
    """One step: value, gradient, and what every loss leaves in the gradient ledger, absolute gradients by class and side."""
    leaf = logits.detach().requires_grad_()
    value = function(batch, leaf)
    value.backward()
    target, gradient = batch.one_hot(CLASSES), leaf.grad[:, :CLASSES].abs() * batch.rows
    return value.item(), (gradient * target).sum(0), (gradient * (1 - target)).sum(0)


def loss_cases():
    for rows in (1024, 8192):
        torch.manual_seed(0)
        batch = Batch(rows)
        for name, (columns, function) in LOSSES.items():
            logits = torch.rand(rows, columns) * 4 - 7
            yield name, f"{rows} x {columns}", partial(step, batch, logits, function)
        source, target = torch.ones(rows, CLASSES + 1), torch.ones(rows, CLASSES + 1)
        yield "copy of the logits", f"{rows} x {CLASSES + 1}", partial(target.copy_, source)
