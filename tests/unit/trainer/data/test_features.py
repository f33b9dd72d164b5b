import numpy as np
import pytest

from services.trainer.data import features as dataset
from services.trainer.data.arrays import move_channels_first
from services.trainer.data.features import Features, FeatureSubset
from shared.errors import BadData
from shared.records import ActionUnit, Sample
from shared.training.annotations import PAPER_UNITS, au_vector, count_units_by_region, order_units, units_of_clips


def test_features_are_sorted_by_name_whatever_order_they_come_in(pair):
    one, two = pair(2, 1, "surprise", (1, 2)), pair(1, 3, "happiness", (12, 6))
    features = dataset.features_from_pairs([one, two])
    assert features.names.tolist() == ["toy/s01/c03", "toy/s02/c01"]
    assert features.subjects.tolist() == ["toy/s01", "toy/s02"]
    assert features.classes == ("happiness", "surprise")
    assert features.emotions.tolist() == [0, 1]
    assert np.array_equal(features.arrays["patches"][1], one[1]["patches"])
    assert features.digest == dataset.features_from_pairs([two, one]).digest


def test_aus_outside_the_list_or_one_sided_are_no_trouble():
    coded = [ActionUnit(number=1, side="left"), ActionUnit(number=1, side="right"), ActionUnit(number=7)]
    coded += [ActionUnit(number=25, intensity="B")]
    assert au_vector(coded, PAPER_UNITS).tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert PAPER_UNITS == (1, 2, 4, 10, 12, 14, 15, 17, 25)


def test_digest_follows_every_array_and_label(pair):
    base = [pair(1), pair(2, emotion="surprise")]
    digests = {dataset.features_from_pairs(base).digest}
    for name in ("patches", "clip", "maps"):
        arrays = dict(base[0][1])
        arrays[name] = arrays[name].copy()
        arrays[name].flat[7] += 1
        digests.add(dataset.features_from_pairs([(base[0][0], arrays), base[1]]).digest)
    digests.add(dataset.features_from_pairs([pair(1, units=(12,)), pair(2, emotion="disgust")]).digest)
    assert len(digests) == 5


def test_saved_features_open_as_the_same_without_being_read(pair, tmp_path):
    features = dataset.features_from_pairs([pair(1), pair(2, emotion="surprise")])
    features.save(tmp_path)
    opened = Features.open(tmp_path)
    assert isinstance(opened.arrays["patches"], np.memmap)
    assert isinstance(opened.arrays["maps"], np.memmap)
    assert opened.digest == features.digest
    assert opened.subjects.tolist() == features.subjects.tolist()


def test_chosen_classes_refuse_or_leave_out_the_others(pair):
    pairs = [pair(1), pair(2, emotion="surprise"), pair(3, emotion="fear"), pair(4, emotion="fear")]
    chosen = ["surprise", "happiness"]
    with pytest.raises(BadData, match=r"toy/s03/c01: .* got 'fear'"):
        dataset.features_from_pairs(pairs, chosen)
    features = dataset.features_from_pairs(pairs, chosen, other_emotions="leave out")
    assert features.classes == ("surprise", "happiness")
    assert features.left_out == {"fear": 2}
    with pytest.raises(BadData, match="No clip shows anger"):
        dataset.features_from_pairs(pairs, ["anger", "fear"])
    with pytest.raises(BadData, match="at least 2 different"):
        dataset.features_from_pairs(pairs, ["fear", "fear"])


def test_nearest_factor(pair):
    features = dataset.features_from_pairs([pair(1), pair(2, emotion="surprise")])
    assert [features.factor_index(f) for f in (0.5, 2.0, 2.4, 9)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("factors", lambda a: a + 1, r"toy/s02/c01: expected the factors \[1.2"),
        ("patches", lambda a: a[:, :8], r"toy/s02/c01: expected patches of shape \(3, 9"),
        ("patches", lambda a: np.where(a == a.max(), np.nan, a), "toy/s02/c01: .* in patches, got 1 values"),
        ("clip", lambda a: a.astype(np.float32), "toy/s02/c01: expected clip .* kind 'u'"),
        ("maps", lambda a: a[:, :2], r"toy/s02/c01: expected maps of shape \(3, 3, 28, 28\)"),
        ("maps", lambda a: np.where(a == a.max(), np.inf, a), "toy/s02/c01: .* in maps, got 1 values"),
    ],
)
def test_bad_arrays_are_refused_by_name(pair, name, change, message):
    sample, arrays = pair(2, emotion="surprise")
    with pytest.raises(BadData, match=message):
        dataset.features_from_pairs([pair(1), (sample, {**arrays, name: change(arrays[name])})])


def test_features_of_an_earlier_roi_au_say_what_to_run(pair):
    sample, arrays = pair(2, emotion="surprise")
    old = {name: array for name, array in arrays.items() if name != "maps"}
    with pytest.raises(BadData, match=r"toy/s02/c01: expected the arrays patches, clip, maps, .* Run roi-au again"):
        dataset.features_from_pairs([pair(1), (sample, old)])


def test_features_may_hold_some_arrays_only(pair, tmp_path):
    pairs = [pair(1), pair(2, emotion="surprise")]
    whole = dataset.features_from_pairs(pairs)
    some = dataset.build_features([one for one, _ in pairs], lambda row: pairs[row][1], array_names=["maps"])
    assert (some.array_names, whole.array_names) == (("maps",), ("patches", "clip", "maps"))
    assert some.digest != whole.digest
    some.save(tmp_path)
    opened = Features.open(tmp_path)
    assert opened.array_names == ("maps",)
    assert opened.digest == some.digest
    with pytest.raises(BadData, match="Expected features with patches, got features that hold only maps"):
        FeatureSubset(opened, np.arange(2)).batch_array("patches", np.array([0]), np.array([0]))


def test_a_part_gives_each_clip_its_arrays_at_its_factor(toy):
    features = toy(1, 3)
    part, which, factors = FeatureSubset(features, np.array([2, 0])), np.array([1, 0]), np.array([2, 0])
    for name, held in (("patches", features.arrays["patches"]), ("maps", features.arrays["maps"])):
        assert np.array_equal(part.batch_array(name, which, factors), np.stack([held[0, 2], held[2, 0]]))
    frames = np.stack([features.arrays["clip"][0], features.arrays["clip"][2]]).transpose(0, 4, 1, 2, 3)
    assert np.array_equal(part.batch_array("clip", which, factors), frames)


def test_each_flow_field_may_have_a_factor_of_its_own_of_which_a_map_takes_the_last(toy):
    features = toy(1, 3)
    part, factors = FeatureSubset(features, np.array([2, 0])), np.array([[0, 1, 2, 2, 1, 0, 1, 1, 2]])
    (patches,), (maps,) = (part.batch_array(name, np.array([1]), factors) for name in ("patches", "maps"))
    held = features.arrays["patches"]
    assert all(np.array_equal(patches[f], held[0, factor, f]) for f, factor in enumerate(factors[0]))
    assert np.array_equal(maps, features.arrays["maps"][0, 2])


def test_channels_come_first_and_frames_rows_and_columns_keep_their_order():
    frames = np.arange(2 * 3 * 4 * 5 * 3).reshape(2, 3, 4, 5, 3)
    assert np.array_equal(move_channels_first(frames), frames.transpose(0, 4, 1, 2, 3))


def test_clips_are_found_by_name_and_their_datasets_named(toy):
    features = toy(2, 2)
    assert features.find_rows(["toy/s01/c01", "toy/s00/c00"]) == [3, 0]
    assert features.dataset_names.tolist() == ["toy"] * 4
    with pytest.raises(KeyError):
        features.find_rows(["toy/s09/c00"])


def test_a_clip_without_emotion_twice_or_none_at_all_are_refused(pair):
    with pytest.raises(BadData, match="toy/s02/c01: expected an emotion"):
        dataset.features_from_pairs([pair(1), pair(2, emotion=None)])
    with pytest.raises(BadData, match="toy/s01/c01: expected each clip once"):
        dataset.features_from_pairs([pair(1), pair(1), pair(2, emotion="surprise")])
    with pytest.raises(BadData, match="No features at all"):
        dataset.features_from_pairs([])


def test_units_are_those_of_two_persons_or_more(pair):
    """AU7 of two persons counts, AU25 of one does not, nor do codes that are no unit of the face: 0, 54 (head down).
    They have targets all the same, and so have the paper's."""
    pairs = [
        *(pair(1, 1, units=(12, 7, 25, 54)), pair(1, 2, units=(12, 25, 54)), pair(2, 1, "fear", units=(7, 12, 54))),
        *(pair(2, 2, "fear", units=(0,)), pair(3, 1, "fear", units=(0,)), pair(3, 2, "fear", units=())),
    ]
    features = dataset.features_from_pairs(pairs)
    assert features.units == (7, 12)
    assert features.target_units == (1, 2, 4, 7, 10, 12, 14, 15, 17, 25)
    assert features.au_targets((12, 25)).tolist() == [[1, 1], [1, 1], [1, 0], [0, 0], [0, 0], [0, 0]]
    assert features.au_coded.tolist() == [True] * 5 + [False]


def test_rare_units_are_not_scored():
    """Of 60 coded clips a twentieth is 3, of 400 it would be 20, so 10 are enough. Clips without a coding do not
    count."""

    def clips(count, units, subjects=2):
        return [
            Sample(dataset="d", subject=f"s{k % subjects}", clip=f"{units}{k}", aus=aus, onset=0, offset=9, fps=9)
            for k in range(count)
            for aus in [tuple(ActionUnit(number=unit) for unit in units)]
        ]

    assert units_of_clips([*clips(3, (1,)), *clips(2, (2,)), *clips(55, (12,)), *clips(900, ())]) == (1, 12)
    assert units_of_clips([*clips(10, (1,)), *clips(9, (2,)), *clips(381, (12,))]) == (1, 12)
    assert units_of_clips([*clips(50, (1,), subjects=1), *clips(50, (2,))]) == (2,)


def test_a_run_without_coded_units_has_the_papers(pair):
    features = dataset.features_from_pairs([pair(1, units=()), pair(2, emotion="fear", units=())])
    assert (features.units, features.au_coded.any()) == (PAPER_UNITS, False)


def test_a_protocols_units_are_scored_whether_coded_or_not(pair):
    pairs = [pair(1), pair(2, emotion="fear")]
    features = dataset.build_features([one for one, _ in pairs], lambda row: pairs[row][1], units=(17, 5, 1))
    assert features.units == (1, 5, 17)


def test_no_coding_is_another_label_than_no_unit(pair):
    coded, uncoded = (
        dataset.features_from_pairs([pair(1), pair(2, emotion="fear", units=units)]) for units in ((0,), ())
    )
    assert coded.aus.tolist() == uncoded.aus.tolist()
    assert coded.digest != uncoded.digest


def test_units_and_coding_are_saved(pair, tmp_path):
    features = dataset.features_from_pairs([pair(1, units=(5, 12)), pair(2, emotion="fear", units=())])
    features.save(tmp_path)
    opened = Features.open(tmp_path)
    assert (opened.units, opened.target_units) == (features.units, features.target_units)
    assert opened.au_coded.tolist() == [True, False]


def test_units_are_ordered_by_region_then_by_number():
    """45, a blink, belongs to the eyes: it stands before the units of the mouth."""
    assert order_units([45, 12, 1, 9, 17, 4, 12]) == (1, 4, 9, 45, 12, 17)
    assert count_units_by_region([45, 12, 1, 9, 17, 4, 12]) == (2, 2, 2)
    assert count_units_by_region(PAPER_UNITS) == (3, 0, 6)
    assert order_units(PAPER_UNITS) == PAPER_UNITS


def test_maps_of_all_flows_are_read_if_the_first_clip_has_them(pair):
    one, two = pair(1), pair(2, emotion="surprise")
    assert "flow_maps" not in dataset.features_from_pairs([one, two]).array_names
    flows = np.arange(3 * 9 * 2 * 28 * 28, dtype=np.float16).reshape(3, 9, 2, 28, 28) / 1e3
    with_flows = [(sample, {**arrays, "flow_maps": flows}) for sample, arrays in (one, two)]
    held = dataset.features_from_pairs(with_flows)
    assert np.array_equal(held.arrays["flow_maps"][1], flows)
    batch = FeatureSubset(held, np.arange(2)).batch_array("flow_maps", np.array([1]), np.array([2]))
    assert np.array_equal(batch[0], flows[2])
    with pytest.raises(BadData, match="got no flow_maps"):
        dataset.features_from_pairs([with_flows[0], two])
