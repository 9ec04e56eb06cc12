"""A thesis as a plan: python thesis.py, on this machine or on a cluster, wherever launchers.yaml leads."""

from launchers import Chain, Map, Parallel, Plan, Step, result_of


def download(first, last):
    return list(range(first, last))


def train(numbers, factor):
    print(f"training on {len(numbers)} numbers with factor {factor}")
    return sum(numbers) * factor


def square(x):
    return x * x


def best(*scores):
    return max(max(one) if isinstance(one, list) else one for one in scores)


data = Step("data", "cpu(cores=1) & duration=10m", download, 0, 5)
small = Step("small", "cpu(cores=1) & duration=1h", train, result_of(data), 1)
large = Step("large", "cpu(cores=1) & duration=2h", train, result_of(data), factor=7)
sweep = Map("sweep", "cpu(cores=1) & duration=30m", square, [1, 2, 3])
results = [result_of(step) for step in (small, large, sweep)]
evaluate = Step("evaluate", "cpu(cores=1) & duration=5m", best, *results)
plan = Plan("thesis", Chain(data, Parallel(small, large, sweep), evaluate))

if __name__ == "__main__":
    plan.describe()
    plan.submit()
    plan.wait()
    print("best:", plan["evaluate"].result())
