"""The other forms a published version is turned into."""
