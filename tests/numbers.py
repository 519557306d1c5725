"""What is no number, although Python's own parsers, or others on the way, would take it for one."""

NO_NUMBERS = (
    *("", "NaN", "inf", "-inf", "Infinity", "1e3", "1E1", "1e-400", "1_0", "0.1_0", "0x10", "0b1", "1,5", "1/2"),
    *("\uff11\uff10", "\u0663", "\u00b2", " 5", "5 ", "5\n", "\t5", "+", "-", ".", "--1", "1.2.3", "True", "None"),
    *("9" * 5_000, "-" + "9" * 400),
)
