"""What customers of a shop say, by language and intent. People, products and orders are made up."""

SLOTS = {
    "en": {
        "product": ["kettle", "desk lamp", "rucksack", "rain jacket", "coffee grinder", "bicycle light", "garden hose"],
        "day": ["Monday", "Tuesday", "Thursday", "Friday", "last week", "ten days ago"],
        "city": ["Leeds", "Bristol", "Cork", "Utrecht", "Lyon", "Graz"],
    },
    "zh": {
        "product": ["水壶", "台灯", "背包", "雨衣", "咖啡机", "车灯", "水管"],
        "day": ["周一", "周二", "周四", "周五", "上周", "十天前"],
        "city": ["杭州", "成都", "厦门", "西安", "昆明", "青岛"],
    },
}

GREETINGS = {
    "en": ["Hi there,", "Hello.", "Good morning!", "Hey,", "Dear team,", "Sorry to bother you."],
    "zh": ["你好，", "您好！", "早上好，", "请问，", "打扰一下，"],
}

FILLERS = {
    "en": [
        "Thanks in advance.",
        "I have bought from you for years.",
        "Please answer soon.",
        "My neighbour told me to write to you.",
        "I am on holiday from tomorrow.",
        "Cheers, Sam",
    ],
    "zh": ["谢谢。", "麻烦快一点。", "我是老顾客了。", "明天我要出门。", "辛苦了！"],
}

SENTENCES = {
    "en": {
        "track_order": [
            "Where is my {product}? I ordered it {day}.",
            "Order #{order} has still not arrived.",
            "Can you tell me when the {product} gets to {city}?",
            "The tracking page for #{order} has not changed since {day}.",
        ],
        "cancel_order": [
            "Please cancel order #{order}.",
            "I no longer want the {product}, stop the order before it ships.",
            "I ordered the {product} twice by mistake, take one out.",
            "Don't send #{order}, I found one elsewhere.",
        ],
        "change_address": [
            "I moved to {city}, please send #{order} there.",
            "The parcel with the {product} should go to my office in {city}.",
            "Can I still change where the {product} is delivered?",
            "My street is wrong in order #{order}.",
        ],
        "return_item": [
            "How do I send the {product} back?",
            "The {product} does not suit me, I want to return it.",
            "I need a return label for #{order}.",
            "Until when can I bring back what I bought {day}?",
        ],
        "refund_status": [
            "I sent the {product} back {day} and have not seen my money.",
            "When do I get the refund for #{order}?",
            "You wrote that I was paid back, but my bank shows nothing for #{order}.",
            "Has the money for the {product} been sent yet?",
        ],
        "damaged_item": [
            "The {product} came with a crack.",
            "My {product} stopped working after one day.",
            "The box of #{order} was torn and the {product} is bent.",
            "Half of the parts of the {product} are missing.",
        ],
        "payment_problem": [
            "My card was charged twice for #{order}.",
            "I cannot pay for the {product}, the page says declined.",
            "Why was more taken from my account than the {product} costs?",
            "The voucher was not counted in order #{order}.",
        ],
        "product_question": [
            "Is the {product} waterproof?",
            "Does the {product} come in blue?",
            "How heavy is the {product}?",
            "When do you have the {product} again?",
        ],
        "speak_to_human": [
            "I want to talk to a person about my {product}.",
            "Your robot does not understand me, give me an agent.",
            "What number can I call about #{order}?",
            "Please let somebody from {city} ring me back.",
        ],
    },
    "zh": {
        "track_order": ["我{day}买的{product}到哪里了？", "订单{order}还没有收到。", "{product}什么时候能到{city}？"],
        "cancel_order": ["请取消订单{order}。", "{product}我不要了，先别发货。", "我多下了一单{product}，请撤掉。"],
        "change_address": [
            "我搬到{city}了，请改订单{order}的地址。",
            "{product}能送到我在{city}的公司吗？",
            "订单{order}的街道写错了。",
        ],
        "return_item": ["{product}怎么退货？", "这个{product}不合适，我想退。", "订单{order}的退货单在哪里？"],
        "refund_status": [
            "{product}{day}就退回去了，钱还没到。",
            "订单{order}什么时候退款？",
            "{product}的退款到账了吗？",
        ],
        "damaged_item": [
            "收到的{product}裂了。",
            "{product}用了一天就坏了。",
            "订单{order}的箱子破了，{product}变形了。",
        ],
        "payment_problem": [
            "订单{order}扣了我两次钱。",
            "{product}付不了款，说卡被拒绝。",
            "订单{order}没有算优惠券。",
        ],
        "product_question": ["{product}防水吗？", "{product}有蓝色的吗？", "{product}有多重？"],
        "speak_to_human": [
            "我要找人工客服，问{product}的事。",
            "机器人听不懂，请转人工。",
            "订单{order}打哪个电话问？",
        ],
    },
}
