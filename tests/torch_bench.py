#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reference timings of the same jobs in PyTorch (Debian package python3-torch).

Run with the system Python:  /usr/bin/python3 torch_bench.py [job ...]
Prints one line per job:  job <TAB> unit <TAB> best-rate-per-second <TAB> variant
Each job tries the variants a careful PyTorch user would write and keeps the fastest,
so the number to beat is PyTorch at its best, not a naive loop.

Jobs (float32, all cores):
  mc_uci      MC-dropout prediction, net 13-50-1 ReLU, p=0.05 on both inputs, 1000 points, T=1000
              unit: network evaluations (points x samples) per second
  mc_mnist    MC-dropout prediction, net 784-400-400-10 ReLU, p=0.5 on hidden inputs, 1000 points, T=100
  mc_wide     MC-dropout prediction, net 1024-1024-1024-1, p=0.1, 1000 points, T=100
  train_uci   dropout training, net 13-50-1, Adam, batch 128, weight decay   unit: steps per second
  train_mnist dropout training, 784-400-400-10, Adam, batch 128
  train_cd    concrete-dropout training, 1-1024-1024-1024-(mean,log var), Adam, batch 20 (the paper's toy protocol)
  train_cd_uci  concrete-dropout training, 13-50-(mean,log var), Adam, batch 128
  train_bbb   Bayes by Backprop, weights sampled once per step, 784-400-400-10, batch 128
  train_bbb_uci  the same with net 13-50-1, Gaussian likelihood, batch 128
  hmc_uci     HMC leapfrog step, full batch of 455x13, net 13-50-1 tanh     unit: gradient evaluations per second
  conv        conv 3x3 training step: 16 images 3x90x120, conv 32-32-32 + ReLU, 1x1 head to 11 classes  unit: images per second
"""
import sys, time, torch, torch.nn as nn, torch.nn.functional as F

# --cpu: rates by the time of the processor, of all threads together, for a machine that does other things, too
by_processor = "--cpu" in sys.argv
clock = time.process_time if by_processor else time.perf_counter

torch.manual_seed(0)
torch.set_num_threads(2)


def rate(step, count_per_call, seconds=2.0):
    """Best of three: calls step() for about `seconds` each time."""
    for _ in range(3):
        step()
    best = 0.0
    for _ in range(3):
        n, t0 = 0, clock()
        while True:
            step()
            n += 1
            dt = clock() - t0
            if dt > seconds / 3:
                break
        best = max(best, n * count_per_call / dt)
    return best


def out(job, unit, results):
    name, r = max(results.items(), key=lambda kv: kv[1])
    print(f"{job}\t{unit}\t{r:.6g}\t{name}\t" + ", ".join(f"{k}={v:.4g}" for k, v in results.items()), flush=True)


# ---------------------------------------------------------------- prediction
class Drop(nn.Module):
    def __init__(self, sizes, p, first=True):
        super().__init__()
        self.l = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.p, self.first = p, first

    def forward(self, x):
        for i, l in enumerate(self.l):
            if i or self.first:
                x = F.dropout(x, self.p, True)
            x = l(x)
            if i + 1 < len(self.l):
                x = F.relu(x)
        return x


def mc(job, sizes, p, first, n, t):
    net, x = Drop(sizes, p, first), torch.randn(n, sizes[0])
    res = {}
    with torch.inference_mode():
        def loop():
            s = s2 = 0
            for _ in range(t):
                y = net(x)
                s = s + y
                s2 = s2 + y * y
        res["loop"] = rate(loop, n * t)
        for chunk in (10, 100, 1000):
            if chunk > t or chunk * n * max(sizes) * 4 > 6e9:
                continue
            def batched():
                s = s2 = 0
                for _ in range(t // chunk):
                    y = net(x.repeat(chunk, 1)).view(chunk, n, -1)
                    s = s + y.sum(0)
                    s2 = s2 + (y * y).sum(0)
            res[f"batched{chunk}"] = rate(batched, n * t)
        try:
            traced = torch.jit.script(net) if False else torch.jit.trace(net, x, check_trace=False)
            def jloop():
                s = s2 = 0
                for _ in range(t):
                    y = traced(x)
                    s = s + y
                    s2 = s2 + y * y
            res["traced"] = rate(jloop, n * t)
        except Exception as e:  # noqa
            pass
        k = torch.get_num_threads()
        torch.set_num_threads(1)
        res["loop1thread"] = rate(loop, n * t) * (1 if by_processor else 2)  # as if two processes ran it side by side
        torch.set_num_threads(k)
    out(job, "evals/s", res)


# ---------------------------------------------------------------- training
def train(job, net, loss, x, y, batch, extra=lambda net: 0.0):
    res = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for foreach in (False, True):
            opt = torch.optim.Adam(net.parameters(), 1e-3, foreach=foreach)
            n = x.shape[0]
            def step():
                i = torch.randint(0, n - batch + 1, (1,)).item()
                opt.zero_grad(set_to_none=True)
                l = loss(net(x[i:i + batch]), y[i:i + batch]) + extra(net)
                l.backward()
                opt.step()
            res[f"threads{threads}{'-foreach' if foreach else ''}"] = rate(step, 1)
    torch.set_num_threads(2)
    out(job, "steps/s", res)


class ConcreteDropout(nn.Module):
    def __init__(self, layer, n, p0=0.1, ls=1e-4, tau=1.0):
        super().__init__()
        self.layer, self.n, self.ls, self.tau = layer, n, ls, tau
        p0 = torch.tensor(p0)
        self.logit = nn.Parameter(torch.log(p0) - torch.log1p(-p0))

    def forward(self, x):
        p = torch.sigmoid(self.logit)
        u = torch.rand_like(x)
        eps = 1e-7
        z = torch.sigmoid((torch.log(p + eps) - torch.log(1 - p + eps) + torch.log(u + eps) - torch.log(1 - u + eps)) / 0.1)
        return self.layer(x * (1 - z) / (1 - p))

    def reg(self):
        p = torch.sigmoid(self.logit)
        w = sum(q.pow(2).sum() for q in self.layer.parameters())
        return self.ls ** 2 / (self.tau * self.n) * w / (1 - p) + \
            2.0 / (self.tau * self.n) * self.layer.in_features * (p * torch.log(p) + (1 - p) * torch.log(1 - p))


class CDNet(nn.Module):
    def __init__(self, sizes, n):
        super().__init__()
        self.l = nn.ModuleList(ConcreteDropout(nn.Linear(a, b), n) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for i, l in enumerate(self.l):
            x = l(x)
            if i + 1 < len(self.l):
                x = F.relu(x)
        return x

    def reg(self):
        return sum(l.reg() for l in self.l)


def hetero(o, y):
    m, lv = o[:, :1], o[:, 1:]
    return (torch.exp(-lv) * (y - m) ** 2 + lv).mean()


class BayesLinear(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.mu, self.rho = nn.Parameter(torch.randn(o, i) * .1), nn.Parameter(torch.full((o, i), -5.))
        self.bmu, self.brho = nn.Parameter(torch.zeros(o)), nn.Parameter(torch.full((o,), -5.))
        self.kl = 0.0

    def forward(self, x):
        s, bs = F.softplus(self.rho), F.softplus(self.brho)
        w = self.mu + s * torch.randn_like(s)
        b = self.bmu + bs * torch.randn_like(bs)
        self.kl = (-torch.log(s) + 0.5 * (s * s + self.mu ** 2) - .5).sum() + \
                  (-torch.log(bs) + 0.5 * (bs * bs + self.bmu ** 2) - .5).sum()
        return F.linear(x, w, b)


class BBB(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.l = nn.ModuleList(BayesLinear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for i, l in enumerate(self.l):
            x = l(x)
            if i + 1 < len(self.l):
                x = F.relu(x)
        return x


def hmc():
    n, d, h = 455, 13, 50
    x, y = torch.randn(n, d), torch.randn(n, 1)
    k = d * h + h + h + 1
    res = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        q, p = torch.randn(k) * .1, torch.randn(k)
        def grad(q):
            q = q.detach().requires_grad_(True)
            w1, b1, w2, b2 = q[:d * h].view(d, h), q[d * h:d * h + h], q[d * h + h:d * h + 2 * h].view(h, 1), q[-1]
            f = torch.tanh(x @ w1 + b1) @ w2 + b2
            u = 0.5 * 4 * ((y - f) ** 2).sum() + 0.5 * (q * q).sum()
            return torch.autograd.grad(u, q)[0]
        state = [q, p, grad(q)]
        def step():
            q, p, g = state
            p = p - 5e-4 * g
            q = q + 1e-3 * p
            g = grad(q)
            state[:] = [q, p - 5e-4 * g, g]
        res[f"threads{threads}"] = rate(step, 1)
    torch.set_num_threads(2)
    out("hmc_uci", "grads/s", res)


def conv():
    x, y = torch.randn(16, 3, 90, 120), torch.randint(0, 11, (16, 90, 120))
    net = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
                        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 11, 1))
    opt = torch.optim.Adam(net.parameters())
    res = {}
    for fmt in ("contiguous_format", "channels_last"):
        xx, nn_ = x.contiguous(memory_format=getattr(torch, fmt)), net.to(memory_format=getattr(torch, fmt))
        def step():
            opt.zero_grad(set_to_none=True)
            F.cross_entropy(nn_(xx), y).backward()
            opt.step()
        res[fmt] = rate(step, 16, 6.0)
    out("conv", "images/s", res)


JOBS = {
    "mc_uci": lambda: mc("mc_uci", (13, 50, 1), .05, True, 1000, 1000),
    "mc_mnist": lambda: mc("mc_mnist", (784, 400, 400, 10), .5, False, 1000, 100),
    "mc_wide": lambda: mc("mc_wide", (1024, 1024, 1024, 1), .1, False, 1000, 100),
    "train_uci": lambda: train("train_uci", Drop((13, 50, 1), .05), F.mse_loss, torch.randn(455, 13), torch.randn(455, 1), 128,
                               lambda n: 1e-4 * sum(q.pow(2).sum() for q in n.parameters())),
    "train_mnist": lambda: train("train_mnist", Drop((784, 400, 400, 10), .5, False), F.cross_entropy, torch.randn(4096, 784),
                                 torch.randint(0, 10, (4096,)), 128),
    "train_cd": lambda: train("train_cd", CDNet((1, 1024, 1024, 1024, 2), 1000), hetero, torch.randn(1000, 1), torch.randn(1000, 1), 20,
                              lambda n: n.reg()),
    "train_cd_uci": lambda: train("train_cd_uci", CDNet((13, 50, 2), 455), hetero, torch.randn(455, 13), torch.randn(455, 1), 128,
                                  lambda n: n.reg()),
    "train_bbb": lambda: train("train_bbb", BBB((784, 400, 400, 10)), F.cross_entropy, torch.randn(4096, 784),
                               torch.randint(0, 10, (4096,)), 128, lambda n: sum(l.kl for l in n.l) / 4096),
    "train_bbb_uci": lambda: train("train_bbb_uci", BBB((13, 50, 1)), F.mse_loss, torch.randn(455, 13), torch.randn(455, 1), 128,
                                   lambda n: sum(l.kl for l in n.l) / 455),
    "hmc_uci": hmc,
    "conv": conv,
}

if __name__ == "__main__":
    for j in [a for a in sys.argv[1:] if a != "--cpu"] or JOBS:
        JOBS[j]()
