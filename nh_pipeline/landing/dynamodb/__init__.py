"""Deliveries of items of DynamoDB: told by their bytes, surveyed, and made into batches of bronze."""

from __future__ import annotations

from nh_pipeline.landing.dynamodb.extract import batches
from nh_pipeline.landing.dynamodb.layout import is_items, is_items_archive
from nh_pipeline.landing.dynamodb.survey import survey

__all__ = ["batches", "is_items", "is_items_archive", "survey"]
