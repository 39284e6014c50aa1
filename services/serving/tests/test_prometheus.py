"""Counters, histograms and gauges, as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from serving.prometheus import LATENCY_LIMITS_US, Counter, Histogram, gauge_lines


def read(lines):
    (family,) = text_string_to_metric_families("\n".join(lines) + "\n")
    return family


def test_counter_counts_each_combination_of_labels():
    counter = Counter(":some:requests", "Requests.", "model status")
    counter.add("m", "OK")
    counter.add("m", "OK", amount=2)
    counter.add("m", "NOT_FOUND")
    assert list(counter.lines()) == [
        "# HELP :some:requests Requests.",
        "# TYPE :some:requests counter",
        ':some:requests{model="m",status="OK"} 3',
        ':some:requests{model="m",status="NOT_FOUND"} 1',
    ]


def test_label_values_are_escaped():
    counter = Counter("requests", "Requests.", "model")
    counter.add('a "b"\\c\nd')
    (sample,) = read(counter.lines()).samples
    assert sample.labels == {"model": 'a "b"\\c\nd'}


def test_histogram_accumulates_its_buckets():
    histogram = Histogram(":some:latency", "Microseconds.", "model")
    for microseconds in (4, 10, 11, 10**12):
        histogram.observe("m", microseconds=microseconds)
    family = read(histogram.lines())
    assert family.type == "histogram"
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    assert list(buckets)[:4] == ["10", "18", "32.4", "58.32"]  # as TensorFlow Serving writes them
    assert len(buckets) == len(LATENCY_LIMITS_US) + 1
    assert (buckets["10"], buckets["18"], buckets["32.4"], buckets["+Inf"]) == (2, 3, 3, 4)
    totals = {s.name: s.value for s in family.samples if not s.name.endswith("_bucket")}
    assert totals == {":some:latency_sum": 10**12 + 25, ":some:latency_count": 4}


def test_gauge_lines():
    assert list(gauge_lines("versions", "Versions.", "model state", {("m", "END"): 2}))[2:] == [
        'versions{model="m",state="END"} 2'
    ]
    assert list(gauge_lines("bytes", "Bytes.", "", {(): 7}))[2:] == ["bytes{} 7"]
