"""The counters and histograms that a service writes for Prometheus, and what happened between two looks at them."""
import re

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')


def parse(text):
    """[(name, {label: value}, number)]."""
    samples = []
    for line in text.splitlines():
        found = SAMPLE.fullmatch(line)
        if found:
            samples.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))
    return samples


def total(samples, name, **labels):
    """The sum of the samples of this name whose labels include these."""
    return sum(number for found, own, number in samples if found == name and labels.items() <= own.items())


class Histogram:
    """How many durations were in each bucket: [(upper bound in seconds, count)], the bounds increasing."""

    def __init__(self, buckets):
        self.buckets = buckets
        self.n = sum(count for _, count in buckets)

    @classmethod
    def read(cls, samples, name, **labels):
        cumulative = sorted((float(own["le"]), number) for found, own, number in samples
                            if found == f"{name}_bucket" and labels.items() <= own.items())
        before = 0
        buckets = []
        for bound, number in cumulative:
            buckets.append((bound, int(number - before)))
            before = number
        return cls(buckets)

    def since(self, earlier):
        """What came after another look at the same histogram."""
        counts = dict(earlier.buckets)
        return Histogram([(bound, count - counts.get(bound, 0)) for bound, count in self.buckets])

    def quantile(self, share):
        """Seconds; within a bucket durations count as evenly spread. None without any, the last bound for what is beyond it."""
        if self.n == 0:
            return None
        wanted, seen, lower = share * self.n, 0, 0.0
        for bound, count in self.buckets:
            if count and seen + count >= wanted:
                return lower if bound == float("inf") else lower + (bound - lower) * (wanted - seen) / count
            seen += count
            if bound != float("inf"):
                lower = bound
        return lower

    def to_json(self):
        return {"n": self.n, "p50": self.quantile(0.5), "p90": self.quantile(0.9), "p99": self.quantile(0.99), "max": self.quantile(1),
                "buckets": [[bound, count] for bound, count in self.buckets if count]}
