"""The words that the messages are made of: people, places and the small talk around an address."""

# ruff: noqa: SIM905 - words by the hundred read best as text.

FIRST_NAMES = """
Aaron Abigail Adam Agnes Aisha Alan Alba Aleksander Alice Amara Amir Ana Andrea Anika Anton Arjun Astrid Ava
Beatrice Ben Bianca Bruno Callum Carla Carmen Cedric Chen Chloe Clara Connor Daisy Daniel Daria David Deepa Diego
Dominic Edith Elena Eli Elif Emma Enzo Erik Esther Eva Fatima Felix Fiona Frank Freya Gabriel Gemma George Greta
Hana Hannah Harry Hassan Heidi Helen Hugo Ian Imogen Ines Ingrid Irina Isaac Ivan Jack Jakob Jana Jasmine Jens Joao
Joe Jonas Josef Judith Julia Karim Karl Katya Kenji Kofi Lars Laura Layla Leah Lena Leo Liam Linh Lotte Luca Lucy
Luis Magda Malik Marco Maria Marta Matteo Maya Mei Mia Milan Mina Miriam Mohammed Nadia Naomi Nils Nina Noah Nora
Olga Oliver Omar Oscar Otto Paula Pedro Petra Philip Priya Rachel Rafael Ravi Rita Rosa Ruby Ryan Sam Sara Sean
Selma Silas Simon Sofia Stefan Sunita Tara Tess Theo Thomas Tim Tomas Ulrike Uma Vera Victor Wanda Wei Will Xenia
Yara Yusuf Zara Zoe
""".split()

LAST_NAMES = """
Abbott Adeyemi Ahmed Almeida Andersen Baker Banerjee Barnes Becker Bell Bennett Berg Bianchi Blake Bose Brandt Brown
Burke Campbell Carter Castillo Chan Choi Clarke Cohen Costa Cruz Dahl Davies Delgado Dias Doyle Dubois Duncan
Eriksen Evans Ferrari Fischer Flores Foster Fraser Fuchs Garcia Gibson Gill Graham Gray Green Gupta Haas Hall Hansen
Harris Hoffman Holm Hughes Hussain Ibrahim Ito Ivanov Jansen Jensen Johnson Jones Kaur Keller Kelly Khan Kim King
Klein Koch Kowalski Kumar Lam Larsen Lee Lewis Lim Lopez Maier Marino Martin Mendes Meyer Mills Moore Moreau Morgan
Mueller Murphy Nagy Nakamura Nash Neumann Nguyen Novak Nunes OBrien Okafor Olsen Osei Owens Park Patel Pereira Perez
Petrov Pham Pope Price Quinn Ramos Rao Reid Reyes Richter Rossi Roth Rowe Ruiz Russo Ryan Santos Sato Schmidt Schulz
Scott Sharma Shaw Silva Singh Smith Sousa Stone Suzuki Tanaka Taylor Thompson Torres Turner Vargas Vogel Wagner
Walker Walsh Wang Ward Weber White Wolf Wong Wood Wright Yilmaz Young Zhang Ziegler
""".split()

STREET_NAMES = """
Abbey Acacia Albert Alder Apple Ash Aspen Bakers Bank Barley Beech Birch Bishop Blackberry Bluebell Bridge Brook
Byron Canal Castle Cedar Chapel Cherry Chestnut Church Clover Coach Copper Cottage Crown Dale Darwin Deer Derby Dove
Eagle Elgin Elm Falcon Farm Fern Field Forest Fountain Fox Garden Gloucester Granary Grange Green Grove Harbour
Hawthorn Hazel Heath Heron High Hill Holly Ivy Jubilee Juniper Kestrel Kings Lake Laurel Lavender Lime Linden London
Long Magnolia Main Manor Maple Market Meadow Mill Mulberry New Newton Nightingale North Oak Old Olive Orchard Orchid
Otter Park Pear Pine Plum Poplar Primrose Priory Quarry Queens Railway River Robin Rose Rowan Saddler Saffron School
Shepherd Silver South Spring Spruce Station Stone Sunset Swan Sycamore Tanner Thistle Tower Vale Valley Victoria
Vine Violet Walnut Water Weaver Wells West Willow Windmill Winter Wood York
""".split()

STREET_KINDS = """
Street Street Street Road Road Road Lane Lane Avenue Avenue Drive Close Court Way Place Crescent Terrace Square
Gardens Hill Row Walk
""".split()

CITIES = """
Aberdeen Ashford Barnsley Bath Bedford Belfast Berlin Birmingham Blackpool Bolton Bournemouth Bradford Bremen
Brighton Bristol Burnley Cambridge Canterbury Cardiff Carlisle Chester Colchester Cologne Cork Coventry Crawley
Darlington Derby Doncaster Dover Dresden Dublin Dundee Durham Edinburgh Exeter Falkirk Galway Gateshead Glasgow
Gloucester Grimsby Guildford Halifax Hamburg Hanover Harlow Hastings Hereford Hull Inverness Ipswich Kendal Kiel
Lancaster Leeds Leicester Leipzig Lichfield Limerick Lincoln Liverpool London Lowestoft Luton Maidstone Manchester
Margate Munich Newcastle Newport Northampton Norwich Nottingham Nuremberg Oldham Oxford Perth Peterborough Plymouth
Poole Portsmouth Preston Reading Redditch Ripon Rochdale Rotherham Rugby Salford Salisbury Scarborough Sheffield
Slough Southampton Southport Stafford Stirling Stockport Stuttgart Sunderland Swansea Swindon Taunton Telford
Torquay Truro Utrecht Wakefield Walsall Warrington Watford Wexford Weymouth Wigan Winchester Woking Worcester
Worthing Wrexham Yeovil
""".split()

PRODUCTS = (
    "kettle|lamp|headphones|winter coat|desk|blender|running shoes|rug|phone case|toaster|garden chairs|backpack|"
    "mattress|bookshelf|coffee grinder|keyboard|curtains|tent|mirror|vacuum cleaner"
).split("|")

AGENTS = "Anna Claire Dev Grace Jamie Kate Lola Max Paul Steve".split()

GREETINGS = [
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "Hi, ",
    "Hi there, ",
    "Hello, ",
    "Hello! ",
    "Hey, ",
    "Good morning, ",
    "Dear team, ",
    "Hi {agent}, ",
]

REASONS = [
    *[""] * 14,
    "my {product} never arrived. ",
    "the {product} I ordered went to my old place. ",
    "order {order} has the wrong address on it. ",
    "I just moved house. ",
    "please update my address. ",
    "can you resend order {order}? ",
    "I need a replacement for the broken {product}. ",
    "I'd like to order another {product}. ",
    "the courier could not find me on {day}. ",
    "you asked for my details again. ",
    "this is about order {order}. ",
    "still waiting for my {product} since {day}! ",
    "I typed the wrong address at checkout. ",
]

CLOSINGS = [
    *[""] * 14,
    " Thanks!",
    " Thank you.",
    " Please confirm.",
    " Cheers",
    " Let me know if you need more.",
    " I am home after {hour} pm.",
    " Leave it with a neighbour if I am out.",
    " The bell does not work, please knock.",
]

WITHOUT_ADDRESS = [
    "when will my {product} ship?",
    "I want a refund for order {order}.",
    "is the {product} still in stock?",
    "the {product} from order {order} is broken, what now?",
    "how long does delivery take? I ordered on {day}.",
    "can I pay by card on delivery?",
    "nobody answers the phone at your shop.",
    "please cancel order {order}.",
]

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday".split()
