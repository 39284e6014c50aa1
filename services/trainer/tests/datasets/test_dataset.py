"""The data set on disk, and its splits."""

import json

import pytest

from contract import ClassInfo
from trainer.datasets.dataset import SPLITS, Dataset, Item, load_dataset, split_of, train_or_validation
from trainer.errors import UserError

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "äpple", (220, 40, 50)))


def dataset_of(ids, root, split_seed=0):
    return Dataset(root, CLASSES, tuple(Item(i, f"images/{i}.jpg", f"masks/{i}.png") for i in ids), split_seed)


@pytest.fixture
def ids():
    return [f"frame_{number:06d}" for number in range(2000)]


class TestSplits:
    def test_every_image_is_in_exactly_one_split(self, ids, tmp_path):
        dataset = dataset_of(ids, tmp_path)
        divided = [item.id for name in SPLITS for item in dataset.split(name)]
        assert sorted(divided) == ids

    def test_fractions_of_the_splits(self, ids, tmp_path):
        dataset = dataset_of(ids, tmp_path)
        shares = {name: len(dataset.split(name)) / len(ids) for name in SPLITS}
        assert shares == pytest.approx({"train": 0.75, "validation": 0.10, "test": 0.15}, abs=0.03)

    def test_adding_images_moves_no_other(self, ids, tmp_path):
        few, many = dataset_of(ids[::7], tmp_path), dataset_of(ids, tmp_path)
        for name in SPLITS:
            assert {i.id for i in few.split(name)} <= {i.id for i in many.split(name)}

    def test_a_different_seed_gives_a_different_split(self, ids):
        assert [split_of(i, 0) for i in ids] != [split_of(i, 1) for i in ids]

    def test_splits_are_the_same_on_every_machine_and_in_every_release(self):
        assert [split_of(f"frame_{n:06d}", 0) for n in range(8)] == [
            "train", "train", "train", "train", "train", "validation", "test", "test",
        ]  # fmt: skip

    def test_images_of_a_group_are_in_one_split(self, tmp_path):
        frames = [Item(f"v{v}_{n}", "", "", group=f"v{v}") for v in range(40) for n in range(25)]
        dataset = Dataset(tmp_path, CLASSES, tuple(frames))
        videos = {name: {item.group for item in dataset.split(name)} for name in SPLITS}
        assert sum(map(len, videos.values())) == len(set().union(*videos.values())) == 40

    def test_split_of_the_source_overrides_the_hash(self, tmp_path):
        items = tuple(Item(str(n), "", "", group="g", split=SPLITS[n % 3]) for n in range(30))
        dataset = Dataset(tmp_path, CLASSES, items)
        assert [item.id for item in dataset.split("test")] == [str(n) for n in range(2, 30, 3)]

    def test_source_may_have_no_test_split(self, tmp_path):
        def splits(*fixed):
            return Dataset(tmp_path, CLASSES, tuple(Item(str(n), "", "", split=s) for n, s in enumerate(fixed))).splits

        assert splits("validation", "train", "train") == ("train", "validation")
        assert splits("validation", "train", None) == splits("test", "train", "validation") == splits() == SPLITS

    def test_other_images_are_split_if_the_source_fixes_only_test_images(self, ids):
        shares = [train_or_validation(i, 0) for i in ids]
        assert set(shares) == {"train", "validation"}
        assert shares.count("validation") / len(ids) == pytest.approx(0.10, abs=0.03)

    def test_unknown_split_is_a_user_error(self, ids, tmp_path):
        with pytest.raises(UserError, match="there is no split 'val': choose one of train, validation, test"):
            dataset_of(ids, tmp_path).split("val")

    def test_empty_split_is_a_user_error(self, tmp_path):
        lonely = next(i for i in map(str, range(99)) if split_of(i, 0) == "train")
        with pytest.raises(UserError, match="none of 1 images is in the test split"):
            dataset_of([lonely], tmp_path).split("test")


class TestIndex:
    def test_saved_index_is_loaded(self, tmp_path):
        dataset = dataset_of(["b", "a", "day 1/ä"], tmp_path, split_seed=7)
        dataset.save()
        assert load_dataset(tmp_path) == dataset

    def test_groups_and_fixed_splits_are_kept(self, tmp_path):
        items = (Item("a", "images/a.jpg", "masks/a.png", "v1", "test"), Item("b", "images/b.jpg", "masks/b.png"))
        Dataset(tmp_path, CLASSES, items).save()
        assert load_dataset(tmp_path).items == items

    def test_index_of_format_1_is_read(self, tmp_path):
        dataset = dataset_of(["a"], tmp_path)
        dataset.save()
        path = tmp_path / "dataset.json"
        path.write_text(path.read_text().replace('"format_version": 2', '"format_version": 1'))
        assert load_dataset(tmp_path) == dataset

    @pytest.mark.parametrize("root", ["nowhere", "file"])
    def test_missing_index_is_a_user_error(self, tmp_path, root):
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match=rf"{root} is not a data set: dataset\.json is missing"):
            load_dataset(tmp_path / root)

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda index: index[:-20], "cannot be read"),
            (lambda index: "[]", "cannot be read"),
            (lambda index: json.dumps(json.loads(index) | {"format_version": 3}), "format_version 3, this trainer re"),
            (lambda index: index.replace('"items"', '"images"'), "cannot be read .'items'"),
            (lambda index: index.replace('"mask"', '"label"'), "cannot be read"),
            (lambda index: index.replace('"mask"', '"split": "val", "mask"'), "in split 'val', expected one of train"),
            (lambda index: index.replace("220", "2200"), "expected R, G, B, each 0 to 255"),
        ],
    )
    def test_damaged_index_is_a_user_error(self, tmp_path, damage, message):
        dataset_of(["a"], tmp_path).save()
        path = tmp_path / "dataset.json"
        path.write_text(damage(path.read_text()))
        with pytest.raises(UserError, match=rf"dataset\.json .*{message}"):
            load_dataset(tmp_path)
