"""The record of training: metrics.csv and TensorBoard's event files hold the same numbers, each step once."""

import pandas as pd
import pytest
import tensorflow as tf

from deqn.training.report import Events, Metrics, Report


def scalars(folder):
    """What a run's event files hold: rows (step, name, value)."""
    rows = []
    for file in sorted((folder / "tensorboard").glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                rows.append((event.step, value.tag, float(tf.make_ndarray(value.tensor))))
    return pd.DataFrame(rows, columns=["step", "name", "value"])


def agree(folder):
    """Assert that event files and metrics.csv are the same; returns the latter."""
    metrics = pd.read_csv(folder / "metrics.csv")
    written = metrics.drop(columns=["stage", "worst"]).melt("step", var_name="name").dropna()
    by = ["step", "name"]
    found = scalars(folder).dropna().sort_values(by, ignore_index=True)  # before the first step there is no loss
    pd.testing.assert_frame_equal(found, written.sort_values(by, ignore_index=True), rtol=1e-6, check_dtype=False)
    return metrics


def reported(step, stage="adam"):
    rates = {"learning_rate": 1e-3} if stage == "adam" else {"damping": 0.1}
    mean, largest = {"euler": 0.1 / step}, {"euler": 1.0 / step}
    errors = {"error": mean["euler"], "worst": "euler", "mean": mean, "max": largest}
    return Report(step=step, stage=stage, seconds=step / 10, loss=2.0**-step, rates=rates, **errors)


def test_event_files_hold_the_rows_of_the_table_once(tmp_path):
    metrics = Metrics(tmp_path, 0)
    events = Events(tmp_path, metrics)
    for report in (reported(1), reported(2), reported(3)):
        metrics.add(report)
        events.add(report)
    assert list(agree(tmp_path)["step"]) == [1, 2, 3]
    metrics = Metrics(tmp_path, 2)  # resumed from a checkpoint at step 2
    events = Events(tmp_path, metrics)
    for report in (reported(3, "levenberg_marquardt"), reported(4, "levenberg_marquardt")):
        metrics.add(report)
        events.add(report)
    assert list(agree(tmp_path)["step"]) == [1, 2, 3, 4]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


@pytest.mark.parametrize("old", ["step,stage\n", ""])
def test_a_table_without_rows_starts_anew(tmp_path, old):
    (tmp_path / "metrics.csv").write_text(old)
    metrics = Metrics(tmp_path, 0)
    Events(tmp_path, metrics).add(reported(1))
    metrics.add(reported(1))
    assert list(agree(tmp_path)["step"]) == [1]
