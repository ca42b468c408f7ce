"""Further parts for each act, which only the last part of the reference model's training has: it must read what it never read."""

from persona_memory.world.forms.parts import Parts

_TELLING = (
    "So, ",
    "Look, ",
    "Here is one thing: ",
    "For what it is worth, ",
    "I have to say that ",
    "It is like this: ",
    "Another thing: ",
    "Hello, ",
    "Just to say it, ",
    "If you ask me, ",
    "And yes, ",
    "Not that it counts, but ",
    "Here you are: ",
    "Today I can say that ",
)
_TOLD = (
    ", by the way.",
    ", I think.",
    ", so you know.",
    ", as it is.",
    ", if that helps.",
    ", that is all.",
    ", and so it is.",
    ", I am sure.",
    ", for what it is worth.",
    ", and that is how it is.",
)
_ASKING = (
    "Hello, ",
    "Now, ",
    "And ",
    "Look, ",
    "A question: ",
    "If you know it: ",
    "Here is a question: ",
    "I forgot, so ",
    "Just to be sure, ",
    "Another question: ",
    "Can you help, ",
    "You know me, so ",
    "I ask you once: ",
    "Let me ask: ",
)
_ASKED = (
    ", if you know?",
    ", if I may ask?",
    ", then?",
    ", for me?",
    ", I wonder?",
    ", just to be sure?",
    ", if you can?",
    ", I forgot?",
    " at all?",
)

ACTS: dict[str, Parts] = {
    "new": Parts(
        _TELLING,
        (
            "{ref} happens to be {v}", "{ref}: {v}", "if you ask me about {ref}, it is {v}", "when it comes to {ref}, it is {v}",
            "{ref} has always been {v}", "{ref} is none other than {v}", "you can write down that {ref} is {v}", "people ask about {ref}, and it is {v}",
            "with {ref} it is simple: {v}", "{ref} turned out to be {v}", "about {ref} there is one thing to say: {v}", "note that {ref} is {v}",
            "nobody asked, but {ref} is {v}", "{ref} can only be {v}", "speaking of {ref}, that would be {v}", "I think of {ref} and say {v}",
            "{ref} is this: {v}", "there is {ref}, and it is {v}", "it happens that {says}", "I can say that {says}", "the fact is that {says}",
            "as it happens, {says}", "nobody asked, but {says}", "you can write down that {says}", "note that {says}", "here is how it is: {says}",
        ),
        _TOLD,
    ),
    "repeat": Parts(
        ("To say it again, ", "Not for the first time: ", "You heard it already: ", "Like I said, ", "I can only repeat that ", "One more time: ",
         "We had this before: ", "Nothing new: ", "I keep saying that "),
        (
            "{ref} is {v} as ever", "{ref} remains {v}", "{ref} has not changed, it is {v}", "{ref} was and is {v}", "for {ref} it is {v} as before",
            "about {ref} I said {v}", "we talked about {ref}, it is {v}", "{ref} stays {v}", "with {ref} it is {v}, as always", "nothing changed for {ref}, it is {v}",
            "as ever, {says}", "it has not changed that {says}", "we talked about it, {says}", "as always, {says}",
        ),
        (", as ever.", ", nothing new.", ", like I said.", ", we talked about it.", ", as you heard.", ", and so it stays.", ", one more time."),
    ),
    "shift": Parts(
        ("News: ", "Guess what, ", "There was a change: ", "I have news: ", "As of today, ", "Nothing stays the same: ", "It is time to tell you: ",
         "Look, ", "So, ", "After all this time, "),
        (
            "{ref} has become {v}", "{ref} changed to {v}", "{ref} used to be {old}, but now it is {v}", "{ref} was {old}, but it is {v} now",
            "as of today {ref} is {v}", "{ref} is not {old} any more but {v}", "for {ref} it is {v} now, not {old}", "{ref} has changed, and it is {v}",
            "{ref} went from {old} to {v}", "{ref} moved on to {v}", "nowadays {ref} is {v}", "after the change {ref} is {v}",
            "{ref} is {v}, and no longer {old}", "{ref} turned into {v}", "meanwhile {ref} is {v}", "{ref} is going to be {v} from here on",
            "nowadays {says}", "lately {says}", "as of today {says}", "after the change {says}", "meanwhile {says}", "from here on {says}",
        ),
        (", that is new.", ", no way back.", ", I changed it.", ", as of today.", ", and it stays so.", ", not as it was.", ", the old one is gone."),
    ),
    "one_off": Parts(
        ("For once, ", "It is only for now: ", "Not for good: ", "Just for fun, ", "By way of exception, ", "A joke: ", "Only for an hour, "),
        (
            "{v} takes the place of {ref} today", "today it is {v} for {ref}", "for one day {ref} gives way to {v}", "{ref} makes room for {v}, just once",
            "let us say {v} for {ref}, once", "{ref} is {v} just for today", "just this once {ref} is {v}", "{v} is only a guest for {ref}",
            "we pretend that {ref} is {v}", "in a game {ref} is {v}", "as a trial {ref} is {v}",
        ),
        (", only for now.", ", just for fun.", ", and then it is over.", ", not for good though.", ", for an hour.", ", do not write it down.",
         ", it is a joke."),
    ),
    "open": Parts(
        _ASKING,
        (
            "which one is {ref}", "I forgot {ref}, what is it", "what have I told you about {ref}", "could you name {ref}",
            "would you remind me of {ref}", "can you say what {ref} is", "when it comes to {ref}, what is it",
            "{ref}, what is that", "I wonder what {ref} is, so what is it", "any idea what {ref} is", "how about {ref}", "what should I write down for {ref}",
            "what was said to be {ref}", "tell me {ref}", "give me {ref}", "help me with {ref}", "I have to know {ref}, what is it", "would you know {ref}",
            "as to {ref}, what have you got", "could you say {asks}", "I wonder {asks}, can you say", "any idea {asks}", "I forgot {asks}, can you say",
            "are you able to say {asks}", "tell me {asks}", "have I told you {asks}", "would you know {asks}",
        ),
        _ASKED,
    ),
    "need": Parts(
        _ASKING,
        (
            "would you help me decide {need}", "I have no idea {need}, can you say", "I wonder {need}, so what is it",
            "how would I know {need}", "what would you say about {need}", "help me with {need}", "tell me {need}", "I have to know {need}, what is it",
            "any idea {need}", "could you tell me {need}", "I forgot {need}, so what is it", "would you remind me {need}", "have I told you {need}",
            "let us decide {need}, so what is it", "I ask myself {need}, and what do you say", "it would be good to know {need}, so what is it",
        ),
        _ASKED,
    ),
    "updated": Parts(
        (*_ASKING, "After the change, ", "Nothing stays the same, so "),
        (
            "what is {ref} today", "what has {ref} become", "after all that changed, what is {ref}", "{ref} is new, so what is it", "what is {ref} at the moment",
            "what is {ref} as of now", "what is the latest for {ref}", "which one is {ref} now", "as things stand, what is {ref}",
            "what would {ref} be today", "tell me {ref} as it is now", "meanwhile, what is {ref}", "nowadays, what is {ref}", "to what did {ref} change",
            "I changed {ref}, so what is it", "could you say {asks} now", "do you know {asks} today", "as things stand, do you know {asks}",
            "any idea {asks} these days", "tell me {asks} at the moment", "do you remember {asks} since it changed", "meanwhile, can you say {asks}",
        ),
        _ASKED,
    ),
    "previous": Parts(
        (*_ASKING, "In the past, ", "Back then, "),
        (
            "what used to be {ref}", "what was {ref} at first", "what was {ref} once", "what was {ref} in the past", "what had been {ref} before",
            "what was {ref} earlier", "what did I call {ref} before the change", "before the change, what was {ref}", "until it changed, what was {ref}",
            "what is no longer {ref}", "what was the first {ref}", "which one was {ref} before", "tell me {ref} as it was before", "what was {ref} until then",
            "what came before for {ref}", "{ref} changed, and what was it before", "I forgot what {ref} was before, so what was it",
            "what did {ref} use to be", "from which one did {ref} change",
        ),
        _ASKED,
    ),
    "yes_no": Parts(
        (*_ASKING, "True or false: ", "Answer with yes or no: "),
        (
            "would you say that {ref} is {v}", "can it be that {ref} is {v}", "am I right that {ref} is {v}", "{ref} is {v}, right", "{ref} is {v}, is it not",
            "does {v} count as {ref}", "if I say {ref} is {v}, is that right", "is it right that {ref} is {v}", "could {ref} be {v}",
            "was I right to say that {ref} is {v}", "is it {v} when it comes to {ref}", "are you sure that {ref} is {v}", "do you think that {ref} is {v}",
            "as to {ref}, is it {v}", "for {ref}, is the answer {v}", "does it still hold that {ref} is {v}", "have I told you that {ref} is {v}",
            "{v}, is that {ref}", "when you think of {ref}, is it {v}", "can I count on it that {ref} is {v}", "has {ref} become {v}", "is {ref} still {v}",
            "is it right that {says}", "are you sure that {says}", "do you think that {says}", "{says}, is that right", "have I told you that {says}",
            "would it be true to say that {says}", "can I count on it that {says}", "am I right that {says}", "{says}, yes or no", "can it be that {says}",
        ),
        (*_ASKED, " or not?", ", right?", ", true or false?", ", or am I wrong?", ", or is it another?"),
    ),
    "inverse": Parts(
        _ASKING,
        (
            "for whom is {v} the {noun}", "{v}: whose {noun} is that", "whose {noun} would be {v}", "who is the one with {v} as {noun}",
            "I said that {v} is somebody's {noun}, whose", "{v} as {noun}, who is that", "do you remember whose {noun} is {v}", "which person has {v} as {noun}",
            "to whom does {v} belong as {noun}", "name the one whose {noun} is {v}", "would you know whose {noun} is {v}", "the {noun} {v} is whose",
            "any idea {who}", "could you say {who}", "I forgot {who}, can you say", "tell me {who}", "I wonder {who}, can you say",
        ),
        _ASKED,
    ),
}  # fmt: skip
