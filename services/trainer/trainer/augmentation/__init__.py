"""Operations on image-mask pairs, and the augmented variants written to disk."""
