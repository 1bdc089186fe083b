"""Real data, declared once: what there is, where it comes from, who may be tested on.

Example:
    >>> from sciml.datasets import split
    >>> split("imaging-ct", "test")
    ['ct_cranium']

With the data fetched (`sciml data fetch`), `load` gives arrays with their meaning attached:

    image = sciml.datasets.load("ct_cranium")    # (depth, rows, columns), Hounsfield units, voxel size
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.datasets.cards import attribution, card
    from sciml.datasets.crops import Crop, load_crops, photo_crops
    from sciml.datasets.fetching import fetch, verify
    from sciml.datasets.loaders import digit_labels, load, load_photo, window_hu
    from sciml.datasets.manifest import available_tier, local_path, members, record, records, tier_ids
    from sciml.datasets.splits import check_weight_inputs, near_duplicates, roles, split
    from sciml.datasets.user import add

_HOMES = {
    "Crop": "crops",
    "add": "user",
    "attribution": "cards",
    "available_tier": "manifest",
    "card": "cards",
    "check_weight_inputs": "splits",
    "digit_labels": "loaders",
    "fetch": "fetching",
    "load": "loaders",
    "load_crops": "crops",
    "load_photo": "loaders",
    "local_path": "manifest",
    "members": "manifest",
    "near_duplicates": "splits",
    "photo_crops": "crops",
    "record": "manifest",
    "records": "manifest",
    "roles": "splits",
    "split": "splits",
    "tier_ids": "manifest",
    "verify": "fetching",
    "window_hu": "loaders",
}
__all__ = [
    "Crop",
    "add",
    "attribution",
    "available_tier",
    "card",
    "check_weight_inputs",
    "digit_labels",
    "fetch",
    "load",
    "load_crops",
    "load_photo",
    "local_path",
    "members",
    "near_duplicates",
    "photo_crops",
    "record",
    "records",
    "roles",
    "split",
    "tier_ids",
    "verify",
    "window_hu",
]


__getattr__ = handed_out(__name__, _HOMES)
