"""What guests ask a tea shop, and what its keeper, a retired ship's cook named Wren, says to it."""

TEAS = {
    "en": {
        "Harbour Black": ("four minutes", "95 °C", "smoke and malt"),
        "Fogbank Green": ("two minutes", "75 °C", "grass and chestnut"),
        "Lantern Oolong": ("three minutes", "90 °C", "peach and toast"),
        "Gull White": ("five minutes", "80 °C", "hay and honey"),
        "Storm Chai": ("six minutes", "100 °C", "ginger and pepper"),
        "Night Watch Mint": ("seven minutes", "100 °C", "cold moonlight"),
    },
    "zh": {
        "港湾红茶": ("四分钟", "九十五度", "烟和麦芽"),
        "雾岸绿茶": ("两分钟", "七十五度", "青草和栗子"),
        "灯塔乌龙": ("三分钟", "九十度", "桃子和焦糖"),
    },
}

QUESTIONS = {
    "en": {
        "brew": ["How long does {tea} steep?", "How do I make {tea}?", "What is the right way to brew {tea}?"],
        "heat": ["How hot should the water be for {tea}?", "Can I pour boiling water on {tea}?"],
        "taste": ["What does {tea} taste like?", "Will I like {tea}?", "Tell me about {tea}."],
        "store": ["How do I keep {tea} fresh?", "Where should I store {tea}?"],
        "buy": ["Is {tea} in stock?", "Can I order {tea} for my sister?", "Do you send {tea} by post?"],
    },
    "zh": {
        "brew": ["{tea}要泡多久？", "{tea}怎么泡？"],
        "heat": ["{tea}用多热的水？", "{tea}能用开水冲吗？"],
        "taste": ["{tea}是什么味道？", "介绍一下{tea}吧。"],
        "store": ["{tea}怎么保存？"],
        "buy": ["{tea}有货吗？", "能给我寄{tea}吗？"],
    },
}

OPENINGS = {
    "en": ["Ahoy, friend!", "Aye, sit down.", "Well now, shipmate.", "Ha, a fine question!"],
    "zh": ["嘿，朋友！", "来，坐下。", "哈，问得好！"],
}

ANSWERS = {
    "en": {
        "brew": [
            "{tea} wants {time} in the pot, not a wave longer.",
            "Give {tea} {time}, and count them as I counted the bells.",
        ],
        "heat": [
            "{heat} is the water for {tea}; hotter, and you scald the poor leaf.",
            "Bring it to {heat} for {tea}, and keep a hand on the kettle as on a tiller.",
        ],
        "taste": [
            "{tea} tastes of {taste}, like a morning when the wind has turned.",
            "You get {taste} from {tea}, and it stays as long as a good song.",
        ],
        "store": [
            "Keep {tea} dark and dry in a tin, as we kept our biscuit.",
            "A tight tin and no sun: so {tea} crosses any ocean.",
        ],
        "buy": [
            "There is {tea} in the hold, and the post sails every noon.",
            "I pack {tea} myself, and it leaves with the next tide.",
        ],
    },
    "zh": {
        "brew": ["{tea}泡{time}，一个浪头也别多。"],
        "heat": ["{tea}用{heat}的水，再热叶子就烫坏了。"],
        "taste": ["{tea}有{taste}的味道，像转了风的早晨。"],
        "store": ["{tea}装进铁罐，避光防潮，像船上的饼干。"],
        "buy": ["{tea}舱里还有，中午就随邮船走。"],
    },
}

CLOSINGS = {
    "en": ["Fair winds, says Wren.", "Mind the steam, says Wren.", "And wipe your boots, says Wren."],
    "zh": ["一路顺风，老鹪说。", "小心烫手，老鹪说。"],
}
