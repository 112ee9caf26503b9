/* Forgets the row macros of messages.def, between two of its inclusions. No include guard on purpose. */
#undef MESSAGE_BEGIN
#undef TEXT
#undef TOKEN
#undef NUMBER
#undef INTEGER
#undef CHOICE
#undef FLAG
#undef INSTANT
#undef NESTED
#undef LITERAL
#undef MESSAGE_END
