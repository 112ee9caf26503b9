/* Forgets the row macros of settings.def, between two of its inclusions. No include guard on purpose. */
#undef SETTING_TEXT
#undef SETTING_NUMBER
#undef SETTING_INTEGER
#undef SETTING_BOOLEAN
#undef SETTING_CHOICE
