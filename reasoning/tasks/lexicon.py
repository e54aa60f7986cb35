"""The families' words and requests in Japanese and Chinese, as data.

Each English word or phrase has one counterpart in a language, and no counterpart stands for two of them, so that texts
can be put into a language and back.
"""

from collections.abc import Mapping

from steiner.reasoning.tasks.knights import PEOPLE
from steiner.reasoning.tasks.routes import PLACES

SENTENCES: tuple[Mapping[str, str], ...] = (
    {
        "en": "make {target} from {numbers}",
        "ja": "{numbers} から {target} を 作れ",
        "zh": "用 {numbers} 得到 {target}",
    },
    {"en": "now make {target}", "ja": "今度 は {target} を 作れ", "zh": "现在 得到 {target}"},
    {
        "en": "now {new} for {old}",
        "ja": "今度 は {old} の 代わり に {new}",
        "zh": "现在 用 {new} 代替 {old}",
    },
    {
        "en": "roads {roads} from {start} to {goal}",
        "ja": "道 {roads} で {start} から {goal} まで",
        "zh": "道路 {roads} 从 {start} 到 {goal}",
    },
    {"en": "now to {goal}", "ja": "今度 は {goal} まで", "zh": "现在 到 {goal}"},
    {
        "en": "now {speaker} says {claim}",
        "ja": "今度 は {speaker} 曰く {claim}",
        "zh": "现在 {speaker} 说 {claim}",
    },
    {"en": "also {roads}", "ja": "さらに {roads}", "zh": "还有 {roads}"},
)
"""What a user says, where the order of words differs; the first that fits is taken. Slots are put over word by word."""

_NOTES: Mapping[str, tuple[str, str]] = {
    "not found": ("解なし", "无解"),
    "all": ("全部", "全都"),
    "at": ("現在", "位于"),
    "both": ("両方", "都是"),
    "clash": ("矛盾", "冲突"),
    "different": ("異類", "异类"),
    "either": ("どちらか", "其一"),
    "end": ("済み", "完毕"),
    "false": ("偽", "为假"),
    "fits": ("合致", "吻合"),
    "for": ("対象", "对于"),
    "found": ("発見", "找到"),
    "from": ("から", "从"),
    "goal": ("達成", "达成"),
    "is": ("は", "是"),
    "knave": ("悪党", "无赖"),
    "knight": ("騎士", "骑士"),
    "knights": ("騎士たち", "骑士们"),
    "left": ("残り", "剩余"),
    "make": ("作れ", "得到"),
    "neither": ("皆無", "都不是"),
    "next": ("次", "下一个"),
    "none": ("なし", "没有"),
    "not": ("でない", "不是"),
    "open": ("未踏", "待试"),
    "path": ("道筋", "路径"),
    "same": ("同類", "同类"),
    "says": ("曰く", "说"),
    "seen": ("既知", "见过"),
    "to": ("まで", "到"),
    "tried": ("試行", "已试"),
    "true": ("真", "为真"),
    "unknown": ("不明", "未知"),
    "with": ("手札", "手中"),
}

_PLACES = (
    "アクラ 阿克拉, アルジェ 阿尔及尔, アンマン 安曼, アテネ 雅典, バクー 巴库, ベルン 伯尔尼, ボゴタ 波哥大, "
    "カイロ 开罗, ダカール 达喀尔, デリー 德里, ダッカ 达卡, ドーハ 多哈, ダブリン 都柏林, ハノイ 河内, "
    "ハバナ 哈瓦那, ハラレ 哈拉雷, カブール 喀布尔, キガリ 基加利, キーウ 基辅, ラゴス 拉各斯, リマ 利马, "
    "リスボン 里斯本, ロンドン 伦敦, ルアンダ 罗安达, ルサカ 卢萨卡, マドリード 马德里, マラボ 马拉博, "
    "マニラ 马尼拉, マプト 马普托, ミンスク 明斯克, モスクワ 莫斯科, ナイロビ 内罗毕, オスロ 奥斯陆, パリ 巴黎, "
    "プラハ 布拉格, キト 基多, リガ 里加, ローマ 罗马, ソフィア 索非亚, ソウル 首尔, タイペイ 台北, タリン 塔林, "
    "テヘラン 德黑兰, ティラナ 地拉那, 東京 东京, チュニス 突尼斯, ウィーン 维也纳, ワルシャワ 华沙"
)

_PEOPLE = (
    "アン 安妮, ボブ 鲍勃, コーラ 科拉, ダン 丹, エバ 伊娃, フィン 芬恩, ガス 古斯, ハナ 哈娜, イワン 伊万, "
    "ジェーン 简, クルト 库尔特, レナ 莱娜, マックス 马克斯, ノラ 诺拉, オットー 奥托, ピア 皮娅"
)

_COUNTERPARTS = {
    **_NOTES,
    **dict(zip(PEOPLE, (tuple(pair.split()) for pair in _PEOPLE.split(", ")), strict=True)),
    **dict(zip(PLACES, (tuple(pair.split()) for pair in _PLACES.split(", ")), strict=True)),
}

WORDS: Mapping[str, Mapping[str, str]] = {
    language: {english: told[index] for english, told in _COUNTERPARTS.items()}
    for index, language in enumerate(("ja", "zh"))
}
"""By language the counterpart of each English word or phrase."""
