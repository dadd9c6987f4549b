#!/usr/bin/env python3
"""Writes enxerto/train/golden.json: what PyTorch says of losses, optimizers, schedules and clipping.

Usage: python tools/make_golden_train.py > enxerto/train/golden.json   (made with PyTorch 2.13)
"""
import json
import random

import torch

random.seed(7)


def numbers(count, scale=1.0):
    """Floats with few digits, so that the file has exactly what was computed with."""
    return [round(random.gauss(0, scale), 3) for _ in range(count)]


def losses():
    logits, labels = [numbers(6, 3) for _ in range(4)], [2, 0, 5, 2]
    weights = [0.5, 1.0, 2.0, 0.25, 1.5, 3.0]
    targets = [[float(random.random() < 0.5) for _ in range(6)] for _ in range(4)]
    shares = [[0.7, 0.0, 0.3, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.5, 0.0, 0.0],
              [0.1, 0.2, 0.3, 0.25, 0.05, 0.1]]
    cases = []

    def case(config, function, target, key):
        outputs = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        loss = function(outputs, target)
        loss.backward()
        cases.append({"config": config, "targets": key, "loss": loss.item(), "gradient": outputs.grad.tolist()})

    for smoothing in (0.0, 0.1):
        for weight in ([], weights):
            tensor = torch.tensor(weight, dtype=torch.float64) if weight else None
            case({"kind": "cross_entropy", "label_smoothing": smoothing, "class_weights": weight},
                 torch.nn.CrossEntropyLoss(weight=tensor, label_smoothing=smoothing), torch.tensor(labels), "labels")
            case({"kind": "cross_entropy", "label_smoothing": smoothing, "class_weights": weight},
                 torch.nn.CrossEntropyLoss(weight=tensor, label_smoothing=smoothing),
                 torch.tensor(shares, dtype=torch.float64), "shares")
    soft = torch.tensor(targets, dtype=torch.float64)
    case({"kind": "mse"}, torch.nn.MSELoss(), soft, "targets")
    for weight in (1.0, 2.5):
        case({"kind": "bce", "positive_weight": weight},
             torch.nn.BCEWithLogitsLoss(pos_weight=torch.full((6,), weight, dtype=torch.float64)), soft, "targets")
    return {"logits": logits, "labels": labels, "targets": targets, "shares": shares, "cases": cases}


def optimizers():
    start, gradients = numbers(7), [numbers(7) for _ in range(10)]
    rates = [0.1, 0.1, 0.08, 0.06, 0.05, 0.05, 0.02, 0.02, 0.01, 0.005]
    optim, cases = torch.optim, []

    def case(config, make, l2=0.0):
        w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        optimizer, steps = make([w]), []
        for rate, gradient in zip(rates, gradients):
            optimizer.param_groups[0]["lr"] = rate
            w.grad = torch.tensor(gradient, dtype=torch.float64)
            optimizer.step()
            steps.append(w.tolist())
        cases.append({"config": dict(config, form="pytorch") if config["kind"] != "sgd" else config,
                      "l2": l2, "steps": steps})

    case({"kind": "sgd", "weight_decay": 0.0}, lambda p: optim.SGD(p, lr=1))
    case({"kind": "sgd", "weight_decay": 0.0}, lambda p: optim.SGD(p, lr=1, weight_decay=0.1), l2=0.1)
    case({"kind": "momentum", "mu": 0.9, "dampening": 0.0, "weight_decay": 0.0},
         lambda p: optim.SGD(p, lr=1, momentum=0.9))
    case({"kind": "momentum", "mu": 0.8, "dampening": 0.3, "weight_decay": 0.0},
         lambda p: optim.SGD(p, lr=1, momentum=0.8, dampening=0.3))
    case({"kind": "nesterov", "mu": 0.9, "weight_decay": 0.0},
         lambda p: optim.SGD(p, lr=1, momentum=0.9, nesterov=True, weight_decay=0.05), l2=0.05)
    case({"kind": "adagrad", "eps": 1e-10, "lr_decay": 0.1}, lambda p: optim.Adagrad(p, lr=1, lr_decay=0.1))
    case({"kind": "rmsprop", "alpha": 0.99, "eps": 1e-8, "mu": 0.0, "centered": False}, lambda p: optim.RMSprop(p))
    case({"kind": "rmsprop", "alpha": 0.9, "eps": 1e-6, "mu": 0.5, "centered": False},
         lambda p: optim.RMSprop(p, alpha=0.9, eps=1e-6, momentum=0.5))
    case({"kind": "rmsprop", "alpha": 0.9, "eps": 1e-3, "mu": 0.5, "centered": True},
         lambda p: optim.RMSprop(p, alpha=0.9, eps=1e-3, momentum=0.5, centered=True))
    case({"kind": "adadelta", "rho": 0.9, "eps": 1e-6}, lambda p: optim.Adadelta(p, rho=0.9, eps=1e-6))
    case({"kind": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}, lambda p: optim.Adam(p))
    case({"kind": "adam", "beta1": 0.8, "beta2": 0.95, "eps": 1e-2},
         lambda p: optim.Adam(p, betas=(0.8, 0.95), eps=1e-2, weight_decay=0.1), l2=0.1)
    case({"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.3},
         lambda p: optim.AdamW(p, weight_decay=0.3))
    return {"start": start, "gradients": gradients, "rates": rates, "cases": cases}


def schedules():
    cases, schedule = [], torch.optim.lr_scheduler
    defaults = {"curve": "constant", "base": 0.5, "floor": 0.0, "warmup": 0, "total": 20, "every": 0, "gamma": 0.1,
                "rise": 0.3, "start_div": 25.0, "end_div": 1e4}

    def case(changes, make, warmup=0, steps=20):
        config = dict(defaults, **changes, warmup=warmup, total=steps)
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=config["base"])
        if warmup:
            rise = schedule.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
            scheduler = schedule.SequentialLR(optimizer, [rise, make(optimizer)], [warmup])
        else:
            scheduler = make(optimizer)
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if len(rates) < steps:
                scheduler.step()
        cases.append({"config": config, "rates": rates})

    case({}, lambda o: schedule.ConstantLR(o, factor=1.0))
    case({}, lambda o: schedule.ConstantLR(o, factor=1.0), warmup=5)
    case({"curve": "step", "every": 6, "gamma": 0.3}, lambda o: schedule.StepLR(o, 6, 0.3))
    case({"curve": "step", "every": 6, "gamma": 0.3}, lambda o: schedule.StepLR(o, 6, 0.3), warmup=4)
    case({"curve": "cosine", "floor": 0.01}, lambda o: schedule.CosineAnnealingLR(o, 20, 0.01))
    case({"curve": "cosine", "floor": 0.01}, lambda o: schedule.CosineAnnealingLR(o, 16, 0.01), warmup=4)
    case({"curve": "one_cycle"}, lambda o: schedule.OneCycleLR(o, 0.5, total_steps=20))
    case({"curve": "one_cycle", "rise": 0.45, "start_div": 10.0, "end_div": 100.0},
         lambda o: schedule.OneCycleLR(o, 0.5, total_steps=33, pct_start=0.45, div_factor=10, final_div_factor=100),
         steps=33)
    return cases


def clipping():
    gradients, cases = [numbers(9), numbers(4)], []
    for most in (0.5, 2.0, 100.0):
        parameters = [torch.zeros(len(g), dtype=torch.float64, requires_grad=True) for g in gradients]
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        norm = torch.nn.utils.clip_grad_norm_(parameters, most)
        cases.append({"most": most, "norm": norm.item(), "clipped": [p.grad.tolist() for p in parameters]})
    return {"gradients": gradients, "cases": cases}


print(json.dumps({"torch": torch.__version__, "losses": losses(), "optimizers": optimizers(),
                  "schedules": schedules(), "clipping": clipping()}))
