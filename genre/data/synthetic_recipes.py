"""The instruments and the recipes of the ten synthetic genres."""

from genre.data.synthesis import Drum, Part, Recipe, Voice

_PAD = Voice(1.4, attack=0.5, decay=4.0, chorus=14)
_STRINGS = Voice(1.1, attack=0.08, decay=1.5, chorus=18)
_ORGAN = Voice(1.6, attack=0.01, decay=3.0, odd=True, chorus=6)
_BELL = Voice(3.0, attack=0.004, decay=0.9, ratio=3.53, depth=0.35)
_NYLON = Voice(1.9, attack=0.004, decay=0.25, ratio=2.0, depth=0.15)
_PIANO = Voice(1.7, attack=0.003, decay=0.5, depth=0.2, chorus=3)
_CHOP = Voice(1.1, attack=0.002, decay=0.08, depth=0.1)
_SQUARE = Voice(1.0, attack=0.002, decay=0.3, odd=True)
_TRIANGLE = Voice(2.0, attack=0.002, decay=0.6, odd=True)
_ACID = Voice(0.9, attack=0.002, decay=0.12, depth=0.3)
_SUB = Voice(2.6, attack=0.008, decay=0.7)
_REESE = Voice(1.2, attack=0.02, decay=1.2, chorus=35)
_FINGERED = Voice(1.8, attack=0.006, decay=0.4, depth=0.08)
_GUITAR = Voice(1.0, attack=0.003, decay=0.5, chorus=8, drive=6.0)

_KICK = Drum(150, 48, low=1500, high=5000, noise=0.05, decay=0.09)
_BOOM = Drum(90, 42, low=200, high=900, noise=0.05, decay=0.16)
_SNARE = Drum(230, 170, low=900, high=8000, noise=0.8, decay=0.06)
_CLAP = Drum(900, 800, low=900, high=4000, noise=1.0, decay=0.05)
_HAT = Drum(0, 0, low=6000, high=11000, noise=0.6, decay=0.02)
_OPEN = Drum(0, 0, low=5000, high=11000, noise=0.6, decay=0.09)
_RIM = Drum(1700, 1650, low=1500, high=5000, noise=0.3, decay=0.015)
_SHAKER = Drum(0, 0, low=4000, high=9000, noise=0.3, decay=0.03)
_BLIP = Drum(700, 60, low=300, high=10000, noise=0.3, decay=0.04)
_CRUSH = Drum(400, 200, low=500, high=11000, noise=0.7, decay=0.05)

_FOUR = ("x...x...x...x...",)
_BACK = ("....x.......x...",)
_OFF = ("..x...x...x...x.",)
_NONE = "................"

RECIPES = {
    "ambient": Recipe(
        tempo=(56, 76),
        progressions=("0:M7 5:M7", "0:m7 8:M7", "0:9 7:9"),
        drums=((_SHAKER, (_NONE, *_BACK)),),
        parts=(
            Part(_PAD, 50, 18, 0.5, ("x...............",)),
            Part(_BELL, 67, 8, 0.35, ("0......2....1...", "..2.....4...3...", "1.....4.........")),
            Part(_SUB, 33, 16, 0.6, ("0...............",)),
        ),
        echo=0.3,
    ),
    "blues": Recipe(
        tempo=(84, 120),
        progressions=("0:7 5:7 0:7 7:7", "0:7 0:7 5:7 5:7", "5:7 0:7 7:7 5:7"),
        drums=(
            (_KICK, ("x.....x.....", "x.....x..x..")),
            (_SNARE, ("...x.....x..", "...x.....x.x")),
            (_HAT, ("x.xx.xx.xx.x", "x..x.xx..x.x")),
        ),
        parts=(
            Part(_FINGERED, 33, 2.6, 0.7, ("0..1..2..3..", "0..2..3..2..", "0.01..2.23..")),
            Part(_PIANO, 52, 2, 0.3, ("x.....x..x..", "..x..x..x..x", "x..........x")),
            Part(_NYLON, 64, 2, 0.5, ("4.32...0.2..", "...3.42.0...", "2.3...4.5...")),
        ),
        steps=3,
        bar=12,
    ),
    "bossa": Recipe(
        tempo=(62, 76),
        progressions=("0:M7 2:7 2:m7 7:7", "0:m7 5:m7 10:7 3:M7", "0:M7 9:7 2:m7 7:7"),
        drums=(
            (_BOOM, ("x..xx..xx..xx..x",)),
            (_RIM, ("x..x..x...x..x..", "..x..x..x..x....")),
            (_SHAKER, ("xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx")),
        ),
        parts=(
            Part(_NYLON, 50, 2, 0.4, ("x.x..x.x..x.x..x", "x..x..x..x..x...", "..x..x..x..x..x.")),
            Part(_SUB, 33, 3, 0.4, ("0..22..00..22..0", "0..20..20..20..2")),
            Part(_NYLON, 67, 4, 0.4, ("..4.3.2.....3...", "4..3..2...0.....")),
        ),
        swing=0.06,
    ),
    "chiptune": Recipe(
        tempo=(128, 168),
        progressions=("0:M 7:M 9:m 5:M", "9:m 5:M 0:M 7:M", "0:M 5:M 7:M 7:M"),
        drums=(
            (_BLIP, ("x...x...x...x...", "x.....x.x.......")),
            (_CRUSH, ("....x.......x...", "....x.......x.xx")),
            (_HAT, _OFF),
        ),
        parts=(
            Part(_SQUARE, 60, 1, 0.35, ("0123012301230123", "0213021302130213", "0120120120120123")),
            Part(_TRIANGLE, 36, 1.8, 0.6, ("0.0.0.0.0.0.0.0.", "0.3.0.3.0.3.0.3.")),
            Part(_SQUARE, 72, 3, 0.3, ("3...2.1.0...1...", "0..1..2.3...2...")),
        ),
    ),
    "disco": Recipe(
        tempo=(112, 128),
        progressions=("0:m7 5:7", "0:m7 10:7 8:M7 10:7", "2:m7 7:7 0:M7 9:m7"),
        drums=((_KICK, _FOUR), (_SNARE, _BACK), (_OPEN, _OFF), (_HAT, ("xx.xxx.xxx.xxx.x",))),
        parts=(
            Part(_FINGERED, 33, 1.5, 0.65, ("0.4.0.4.0.4.0.4.", "0.404.040.404.04")),
            Part(_CHOP, 57, 1, 0.3, ("..x...xx..x...xx", "x.xx.xx.x.xx.xx.", "..xx..x...xx..x.")),
            Part(_STRINGS, 64, 7, 0.22, ("x.......x.......", "4.......3...2...", "x.........x.....")),
        ),
    ),
    "dub": Recipe(
        tempo=(64, 80),
        progressions=("0:m 5:m", "0:m 10:M", "0:m 0:m 8:M 10:M"),
        drums=(
            (_KICK, ("........x.......", "x.......x.......")),
            (_RIM, _BACK),
            (_HAT, ("..x...x...x...x.", "x.x.x.x.x.x.x.x.")),
        ),
        parts=(
            Part(_SUB, 31, 3, 0.65, ("0..0..2.3.......", "..0.0..20...2...", "0...0.2...3.2...")),
            Part(_ORGAN, 57, 1, 0.45, ("....x.......x...", "....x.x.....x.x.")),
            Part(_PIANO, 69, 2, 0.25, ("..........2.....", "2...............")),
        ),
        swing=0.12,
        echo=0.5,
    ),
    "jungle": Recipe(
        tempo=(160, 178),
        progressions=("0:m7 8:M7", "0:m7 5:m7", "0:9 10:9"),
        drums=(
            (_KICK, ("x.........x.....", "x.x.......xx....", "x.........x..x..")),
            (_SNARE, ("....x..x.x..x..x", "....x.......x.x.", "....x..x....x...")),
            (_HAT, ("x.x.x.x.x.x.x.x.", "xxx.xxx.xxx.xxx.")),
        ),
        parts=(
            Part(_REESE, 31, 5, 0.7, ("0.......2..4....", "0.....0...2.....", "0..4........2...")),
            Part(_STRINGS, 57, 15, 0.2, ("x...............",)),
        ),
        swing=0.04,
    ),
    "metal": Recipe(
        tempo=(120, 176),
        progressions=("0:p 1:p 0:p 3:p", "0:p 0:p 6:p 5:p", "0:p 8:p 10:p 1:p"),
        drums=(
            (_KICK, ("xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx", "xx..xx..xx..xx..")),
            (_SNARE, ("....x.......x...", "..x...x...x...x.")),
            (_OPEN, ("x...x...x...x...", "x.......x.......")),
        ),
        parts=(
            Part(_GUITAR, 40, 1.2, 0.7, ("xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx", "x..x..x.x..x..x.")),
            Part(_FINGERED, 28, 1.2, 0.5, ("0000000000000000", "0.000.000.000.00")),
        ),
    ),
    "techno": Recipe(
        tempo=(122, 138),
        progressions=("0:m", "0:m 0:m 0:m 1:M"),
        drums=(
            (_KICK, _FOUR),
            (_CLAP, (*_BACK, _NONE)),
            (_OPEN, _OFF),
            (_HAT, ("xxxxxxxxxxxxxxxx", "x.x.x.x.x.x.x.x.")),
        ),
        parts=(
            Part(_ACID, 36, 1, 0.6, ("0.003.0.00.30.2.", "0030020300300230", "..0...0...0..03.")),
            Part(_CHOP, 60, 1, 0.3, ("x..x..x.........", "...x.......x..x.")),
        ),
    ),
    "waltz": Recipe(
        tempo=(138, 184),
        progressions=("0:M 7:M 7:M 0:M", "0:m 5:m 7:M 0:m", "0:M 9:m 5:M 7:M"),
        drums=((_SHAKER, ("....x...x...", _NONE)),),
        parts=(
            Part(_FINGERED, 36, 4, 0.8, ("0...........", "2...........")),
            Part(_PIANO, 55, 2.5, 0.35, ("....x...x...",)),
            Part(_STRINGS, 67, 4, 0.35, ("3...2...1...", "0.......2...", "2...3...4...", "4.3.2...3...")),
        ),
        bar=12,
    ),
}
