"""`/ticket VERB …`: what each verb does to the row and shows in Slack, and what it answers to the one who typed it."""

from __future__ import annotations

import pytest

from bot.sandbox import Channel, Message, Person
from tests.conftest import Office

pytestmark = pytest.mark.transports("http", "socket")


async def ask(office: Office, person: Person, text: str) -> str:
    """What `/ticket` answers to a person in the support channel, once Slack shows everything that came of it."""
    taken = await person.command("/ticket", text, channel=office.world.help)
    assert taken.ok, taken
    assert taken.status == 200
    await office.at_rest()
    said = str(taken.body["text"])
    assert [one.only_for for one in office.sandbox.messages(office.world.help, person) if one.text == said][-1:] == [
        person.id
    ], "the answer is for nobody but the one who asked"
    return said


async def opened(office: Office, person: Person, *texts: str) -> list[Message]:
    """The messages of which tickets were made, in order."""
    roots = []
    for text in texts:
        roots.append(await person.post(office.world.help, text))
        await office.sandbox.settled()
    await office.at_rest()
    return roots


def numbers(answer: str) -> list[int]:
    """The tickets that a list shows, in its order."""
    return [int(line.partition("|#")[2].split()[0]) for line in answer.splitlines() if "|#" in line]


async def four_tickets(office: Office) -> None:
    """#1 is Grace's, tagged and urgent; #2 Linus has answered; #3 is closed; #4 is nobody's."""
    await opened(office, office.world.ada, "The export fails", "Add a seat", "Old question", "New question")
    grace, linus = office.world.grace, office.world.linus
    for command in ("claim 1", "tag 1 +billing", "priority 1 high", "close 3"):
        await ask(office, grace, command)
    assert (await linus.command("/ticket", "reply 2 Under Settings", channel=office.world.triage)).ok
    await office.at_rest()


async def test_list_shows_what_is_not_closed_with_links_newest_activity_first(office: Office) -> None:
    await opened(office, office.world.ada, "The export fails", "Add a seat", "Old question")
    await ask(office, office.world.grace, "close 2")
    await ask(office, office.world.grace, "priority 1 high")
    answer = await ask(office, office.world.grace, "list")
    assert numbers(answer) == [1, 3]
    assert f"/archives/{office.world.help.id}/p" in answer
    assert "from Ada Lovelace" in answer


async def test_list_is_filtered_by_status_person_tag_and_priority(office: Office) -> None:
    await four_tickets(office)
    wanted = {
        "list open": [1],
        "list new": [4],
        "list pending": [2],
        "list closed": [3],
        "list all": [1, 2, 3, 4],
        "list mine": [1],
        "list unassigned": [4],
        "list all unassigned": [3, 4],
        f"list {office.world.linus.mention}": [2],
        "list #billing": [1],
        "list high": [1],
        "list medium open": [],
    }
    found = {command: sorted(numbers(await ask(office, office.world.grace, command))) for command in wanted}
    assert found == wanted


async def test_more_turns_the_list_to_its_next_page_in_place(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, *(f"Question {n}" for n in range(1, 13)))
    first = await ask(office, world.grace, "list")
    assert numbers(first) == list(range(12, 2, -1))
    page = office.sandbox.find(world.help, first.splitlines()[1][:30], world.grace)
    before = len(world.help.ephemerals)

    assert (await world.grace.click(page, action_id="more")).ok

    assert numbers(page.text) == [2, 1]
    assert len(world.help.ephemerals) == before
    assert not [one for block in page.blocks for one in block.get("elements", []) if one.get("action_id") == "more"]


async def test_mine_lists_an_agents_tickets_most_urgent_first(office: Office) -> None:
    await opened(office, office.world.ada, "One", "Two", "Three")
    for command in ("claim 1", "claim 2", "priority 1 high"):
        await ask(office, office.world.grace, command)
    assert numbers(await ask(office, office.world.grace, "mine")) == [1, 2]


async def test_mine_goes_on_where_it_ended_though_tickets_have_moved_meanwhile(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, *(f"Question {n}" for n in range(1, 13)))
    for number in range(1, 13):
        await ask(office, world.grace, f"claim {number}")
    await ask(office, world.grace, "priority 1 high")
    first = await ask(office, world.grace, "mine")
    assert numbers(first) == [1, *range(12, 3, -1)]
    page = office.sandbox.find(world.help, first.splitlines()[1][:30], world.grace)
    await ask(office, world.grace, "title 5 Another question")
    assert (await world.grace.click(page, action_id="more")).ok
    assert numbers(page.text) == [3, 2]
    assert page.text.startswith("Your tickets, most urgent first")


async def test_show_tells_an_agent_everything_and_a_requester_all_but_the_notes(office: Office) -> None:
    await opened(office, office.world.ben, "My laptop is slow")
    await ask(office, office.world.grace, "note 1 He says so every week")
    assert await office.notes() == ["He says so every week"]

    to_agent = await ask(office, office.world.grace, "show 1")
    assert "My laptop is slow" in to_agent
    assert "He says so every week" in to_agent
    shown = office.sandbox.find(office.world.help, "every week", office.world.grace)
    assert (await office.world.grace.click(shown, action_id="open_ticket")).ok
    to_requester = await ask(office, office.world.ben, "show 1")
    assert "My laptop is slow" in to_requester
    assert "every week" not in to_requester


async def test_claim_makes_the_ticket_the_agents(office: Office) -> None:
    root, *_ = await opened(office, office.world.ada, "The export fails")
    assert await ask(office, office.world.grace, "claim 1") == "#1 is yours."
    ticket = await office.ticket()
    assert (ticket["status"], len(ticket["assigned_to"])) == ("open", 1)
    assert f"assigned to {office.world.grace.mention}" in office.card().text
    assert "Grace Hopper is on it" in office.thread(root)[0]


async def test_assign_puts_several_agents_on_and_unassign_takes_them_off(office: Office) -> None:
    world = office.world
    root, *_ = await opened(office, world.ada, "The export fails")
    await ask(office, world.grace, f"assign 1 {world.linus.mention} {world.grace.mention}")
    ticket = await office.ticket()
    assert (ticket["status"], len(ticket["assigned_to"])) == ("open", 2)
    assert "Linus Pauling, Grace Hopper are on it" in office.thread(root)[0]
    told = [text for text in office.thread(office.card()) if "was assigned to you" in text]
    assert [world.linus.mention in text for text in told] == [True], "who is assigned by another is told"

    await ask(office, world.grace, f"unassign 1 {world.linus.mention} {world.grace.mention}")
    ticket = await office.ticket()
    assert (ticket["status"], ticket["assigned_to"]) == ("new", [])
    assert "nobody is on it" in office.thread(root)[0]
    assert "unassigned" in office.card().text


async def test_reply_reaches_the_customer_under_the_agents_name(office: Office) -> None:
    root, *_ = await opened(office, office.world.ada, "The export fails")
    await ask(office, office.world.grace, "reply 1 We are on <it> & looking")
    ticket = await office.ticket()
    assert (ticket["status"], len(ticket["assigned_to"])) == ("pending", 1)
    assert await office.said() == ["The export fails", "We are on <it> & looking"]
    shown = office.sandbox.messages(office.world.help, thread_ts=root.ts)[-1]
    assert (shown.text, shown.username) == ("We are on &lt;it&gt; &amp; looking", "Grace Hopper")


async def test_note_is_kept_and_shown_to_agents_only(office: Office) -> None:
    root, *_ = await opened(office, office.world.ada, "The export fails")
    await ask(office, office.world.grace, "note 1 Same as last month")
    assert await office.notes() == ["Same as last month"]
    assert await office.said() == ["The export fails"]
    assert any("Same as last month" in text for text in office.thread(office.card()))
    assert not any("last month" in text for text in office.thread(root, office.world.ada))


async def test_priority_tags_and_title_change_the_row_and_the_card(office: Office) -> None:
    await opened(office, office.world.ada, "Help!!!")
    for command in ("priority 1 high", "tag 1 +Billing +urgent", "tag 1 -urgent +export", "title 1 The export fails"):
        await ask(office, office.world.grace, command)
    ticket = await office.ticket()
    assert (ticket["priority"], ticket["tags"], ticket["title"]) == ("high", ["billing", "export"], "The export fails")
    card = office.card().text
    assert "The export fails" in card
    assert "High priority" in card
    assert "#billing #export" in card


async def test_set_writes_fields_and_shows_them_to_agents_only(office: Office) -> None:
    root, *_ = await opened(office, office.world.ben, "My laptop is slow")
    answer = await ask(office, office.world.grace, 'set 1 model="X 1 <carbon>" Seats=3')
    assert answer == "The fields of #1 are changed."
    assert (await office.ticket())["custom_fields"] == {"model": "X 1 <carbon>", "Seats": "3"}
    for said in (office.card().text, await ask(office, office.world.grace, "show 1")):
        assert "model: X 1 &lt;carbon&gt;" in said
        assert "Seats: 3" in said
    assert "carbon" not in await ask(office, office.world.ben, "show 1")
    assert not any("carbon" in text for text in office.thread(root, office.world.ben))

    await ask(office, office.world.grace, "set 1 seats=4 model=")
    assert (await office.ticket())["custom_fields"] == {"Seats": "4"}
    assert "model" not in office.card().text


async def test_the_agents_own_vocabulary_is_not_shown_to_customers(office: Office) -> None:
    await opened(office, office.world.ben, "My laptop is slow")
    await ask(office, office.world.grace, "tag 1 +difficult-customer")
    await ask(office, office.world.grace, "priority 1 high")
    for person, seen in ((office.world.grace, True), (office.world.ben, False)):
        shown = await ask(office, person, "show 1")
        assert "My laptop is slow" in shown
        assert ("difficult" in shown, "priority" in shown.lower()) == (seen, seen)


async def test_set_leaves_alone_what_other_programs_keep_there(office: Office) -> None:
    await opened(office, office.world.ada, "The export fails")
    theirs = '{"order": {"id": 12345678901234567890.123450, "lines": [1, null]}, "": [], "Plan": {"name": "pro"}}'
    await office.sql.execute("update tickets set custom_fields = cast($1::text as jsonb)", theirs)
    await ask(office, office.world.grace, "set 1 version=4")
    kept = await office.sql.fetchval("select (custom_fields - 'version')::text from tickets")
    assert kept == await office.sql.fetchval("select cast($1::text as jsonb)::text", theirs)
    card = office.card().text
    assert "version: 4" in card
    assert 'Plan: {"name": "pro"}' in card
    await ask(office, office.world.grace, "set 1 plan=")
    assert "Plan" not in (await office.ticket())["custom_fields"]

    await office.sql.execute("update tickets set custom_fields = null")
    await ask(office, office.world.grace, "set 1 version=5")
    assert (await office.ticket())["custom_fields"] == {"version": "5"}


async def test_set_has_limits(office: Office) -> None:
    await opened(office, office.world.ada, "The export fails")
    await office.sql.execute(
        "update tickets set custom_fields = (select jsonb_object_agg('f' || n, n) from generate_series(1, 50) n)"
    )
    before = await office.ticket()
    sentences = {
        "set 1 one=more": "A ticket has at most 50 fields. Take one away first: `/ticket set 1 field=`",
        "set 1 f1=" + "x" * 501: "The value of f1 is too long: at most 500 characters, it has 501.",
        "set 1 other=": "Ticket #1 has no field other.",
    }
    for command, sentence in sentences.items():
        assert await ask(office, office.world.grace, command) == sentence
    assert await office.ticket() == before
    await ask(office, office.world.grace, "set 1 f1=" + "x" * 500)
    assert (await office.ticket())["custom_fields"]["f1"] == "x" * 500


async def test_close_keeps_the_comment_as_a_note_and_asks_for_a_rating(office: Office) -> None:
    root, *_ = await opened(office, office.world.ada, "The export fails")
    assert await ask(office, office.world.grace, "close 1 fixed by release 4.2") == "#1 is closed."
    ticket = await office.ticket()
    assert (ticket["status"], ticket["closings"]) == ("closed", 1)
    assert await office.notes() == ["fixed by release 4.2"]
    assert "Closed" in office.card().text
    status, question = office.thread(root)
    assert "Closed" in status
    assert "How did we do" in question


async def test_reopen_takes_a_closed_ticket_up_again(office: Office) -> None:
    root, *_ = await opened(office, office.world.ada, "The export fails")
    for command in ("claim 1", "close 1", "reopen 1"):
        await ask(office, office.world.grace, command)
    assert (await office.ticket())["status"] == "open"
    assert "Open" in office.thread(root)[0]
    assert "Open" in office.card().text


async def test_spam_closes_without_a_word_or_a_question_to_the_customer(office: Office) -> None:
    root, *_ = await opened(office, office.world.ada, "Good morning all")
    await ask(office, office.world.grace, "spam 1")
    ticket = await office.ticket()
    assert (ticket["status"], ticket["not_a_ticket"]) == ("closed", True)
    assert "not a ticket" in office.card().text
    assert not any("How did we do" in text for text in office.thread(root))
    assert numbers(await ask(office, office.world.grace, "list all")) == []


async def test_digest_is_posted_for_the_leads_once(office: Office) -> None:
    await opened(office, office.world.ada, "The export fails")
    assert office.world.triage.id in await ask(office, office.world.grace, "digest today")
    digests = [one for one in office.sandbox.messages(office.world.triage) if "Digest" in one.text]
    assert len(digests) == 1
    assert await office.sql.fetchval("select count(*) from threadesk.notices where key like 'digest:%'") == 1


async def second_triage(office: Office) -> Channel:
    """Another triage channel, of which Grace is an agent and Linus is not, with a support channel of Acme's own."""
    world = office.world
    await world.sandbox.invite(world.help, world.linus)
    billing = await world.sandbox.add_channel("billing", private=True, members=[world.grace, world.sandbox.bot])
    new = "insert into threadesk.channels (id, name, role, triage_channel) values"
    await office.sql.execute(f"{new} ($1, 'billing', 'triage', null)", billing.id)
    await office.sql.execute(f"{new} ('C0INVOICES', 'invoices', 'support', $1)", billing.id)
    await office.sql.execute(
        "insert into threadesk.triage_members values ($1, $2, $3)", billing.id, world.grace.team.id, world.grace.id
    )
    return billing


def digests(office: Office, channel: Channel) -> list[str]:
    return [one.text for one in office.sandbox.messages(channel) if "Digest" in one.text]


async def test_each_triage_channel_gets_the_digest_of_its_own_tickets(office: Office) -> None:
    billing = await second_triage(office)
    await opened(office, office.world.ada, "The export fails")
    said = await ask(office, office.world.grace, "digest")
    assert (office.world.triage.id in said, billing.id in said) == (True, True)
    assert "*Opened* 1" in digests(office, office.world.triage)[0]
    assert "Nothing was opened" in digests(office, billing)[0]

    said = await ask(office, office.world.linus, "digest")
    assert (office.world.triage.id in said, billing.id in said) == (True, False)


async def test_a_digest_of_one_channel_or_company(office: Office) -> None:
    world = office.world
    billing = await second_triage(office)
    await opened(office, world.ada, "The export fails")
    for about in (f"<#{world.help.id}|help-globex>", "#help-globex", "globex", f"<#{world.triage.id}|triage>"):
        await ask(office, world.grace, f"digest {about} today")
        assert "*Opened* 1" in digests(office, world.triage)[-1]
    assert "customers of Globex" in digests(office, world.triage)[2]
    await ask(office, world.grace, "digest #invoices")
    assert "<#C0INVOICES>" in digests(office, billing)[-1]

    refused = await ask(office, world.linus, "digest #invoices")
    assert refused == "#invoices is no support channel of yours."
    assert "Did you mean: `/ticket digest #help-globex`?" in await ask(office, world.linus, "digest #help-globx")
    assert "Did you mean: `/ticket digest Globex`?" in await ask(office, world.linus, "digest Globx")
    assert "Did you mean: `/ticket digest week`?" in await ask(office, world.linus, "digest wek")
    # A company whose people asked Linus's team for nothing is none to him.
    await office.sql.execute("update threadesk.desk_tickets set triage_channel = $1", billing.id)
    assert (await ask(office, world.linus, "digest Globex")).startswith("No customers of a company “Globex”")


async def test_a_digest_quotes_no_note(office: Office) -> None:
    await opened(office, office.world.ada, "The export fails")
    await ask(office, office.world.grace, "close 1 they never read the manual")
    await ask(office, office.world.grace, "digest today")
    assert "manual" not in digests(office, office.world.triage)[0]


async def test_stats_are_for_the_asker_alone(office: Office) -> None:
    world = office.world
    await second_triage(office)
    await opened(office, world.ada, "The export fails")
    await ask(office, world.grace, "claim 1")
    await ask(office, world.grace, "reply 1 On it")
    await opened(office, world.ada, "It fails again")
    await ask(office, world.grace, "close 2")

    said = await ask(office, world.grace, "stats today")
    assert "On your hands now: 0 open, 1 pending" in said
    assert "*Closed* 1 (▲ 1 more) · *Answers to customers* 1" in said
    assert "*Opened* 2 (▲ 2 more) · *Closed* 1 (▲ 1 more)" in said
    assert "On your hands now: 0 open, 0 pending" in await ask(office, world.linus, "stats")
    assert not any("Figures" in one.text for one in office.sandbox.messages(world.triage))
    assert await ask(office, world.ben, "stats") == "Only agents can ask for figures."


async def test_help_lists_the_verbs_that_the_asker_may_use(office: Office) -> None:
    to_agent = await ask(office, office.world.grace, "help")
    assert "claim N" in to_agent
    assert "digest" in to_agent
    to_customer = await ask(office, office.world.ben, "help")
    assert "new [title]" in to_customer
    assert "claim" not in to_customer
    assert "digest" not in to_customer


async def test_new_opens_the_form_with_the_title_and_agents_may_choose_the_customer(office: Office) -> None:
    world = office.world
    for person, has_customer in ((world.ben, False), (world.grace, True)):
        assert (await person.command("/ticket", "new The export fails", channel=world.help)).ok
        assert person.view is not None
        blocks = {block["block_id"]: block for block in person.view["blocks"]}
        assert blocks["title"]["element"]["initial_value"] == "The export fails"
        assert ("customer" in blocks) is has_customer
    assert await office.sql.fetchval("select count(*) from tickets") == 0


async def test_no_verb_opens_the_new_ticket_form(office: Office) -> None:
    assert (await office.world.ben.command("/ticket", "", channel=office.world.help)).ok
    assert office.world.ben.view is not None
    assert office.world.ben.view["callback_id"] == "new_ticket"


async def test_a_colleague_sees_closes_and_reopens_their_own_tickets_only(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "Ada's secret")
    root, *_ = await opened(office, world.ben, "Ben's laptop")
    assert numbers(await ask(office, world.ben, "list")) == [2]
    assert numbers(await ask(office, world.ben, "mine")) == [2]
    for command in ("show 1", "close 1", "reopen 1", "claim 1", "show 999"):
        number = command.split()[1]
        assert (await ask(office, world.ben, command)).startswith(f"You have no ticket #{number}.")
    assert (await office.ticket(1))["status"] == "new"

    assert await ask(office, world.ben, "close 2") == "#2 is closed."
    assert (await office.ticket(2))["status"] == "closed"
    assert "How did we do" in office.thread(root)[-1]
    await ask(office, world.ben, "reopen 2")
    assert (await office.ticket(2))["status"] == "new"


async def test_what_only_agents_may_do_changes_nothing_for_a_requester(office: Office) -> None:
    grace = office.world.grace.mention
    root, *_ = await opened(office, office.world.ben, "Ben's laptop")
    before, card = await office.ticket(), office.card().text
    for command in (
        *("claim 1", f"assign 1 {grace}", f"unassign 1 {grace}", "reply 1 Hi", "note 1 Hi", "priority 1 high"),
        *("tag 1 +a", "title 1 Hi", "set 1 a=b", "spam 1", "close 1 with a comment", "digest", "stats"),
    ):
        assert (await ask(office, office.world.ben, command)).startswith("Only agents can "), command
        assert await office.ticket() == before, command
    assert office.card().text == card
    assert len(office.thread(root)) == 1


MISTAKES = {
    "clam 1": 'There is no verb "clam". Did you mean: `/ticket claim 1`?',
    "frobnicate": 'There is no verb "frobnicate". To open a ticket: `/ticket new',
    "show 412": "No ticket #412. The newest is #2.",
    "show": "Which ticket? Its number is missing. Try: `/ticket show 42`",
    "show seven": '"seven" is not a ticket\'s number. Try: `/ticket show 42`',
    "show 99999999999999999999": "No ticket has so big a number.",
    "claim 0": "Ticket numbers begin at 1.",
    "assign 1": "Who? Type @ and pick the person",
    "assign 1 @nobody": 'Slack did not say who "@nobody" is',
    "assign 1 {ben}": "Ben Franklin is not an agent for this ticket",
    "assign 1 {bob}": "This person is not an agent for this ticket",
    "unassign 1 {linus}": "Ticket #1 is not assigned to them.",
    "priority 1 urgent": '"urgent" is no priority: it is low, medium or high. Try: `/ticket priority 1 high`',
    "tag 1": "Which tags? + adds one, - takes one away.",
    "tag 1 +a!b": '"a!b" cannot be a tag',
    "title 1": "The title has no words.",
    "reply 1": "The reply has no words.",
    "note 1": "The note has no words.",
    "reopen 1": "Ticket #1 is not closed: its status is new.",
    "digest year": "No customers of a company “year” have asked for anything. A channel is written with #.",
    "digest #lobby": "#lobby is no support channel of yours.",
    "stats year": '"year" is no period: it is today, week or month. Try: `/ticket stats week`',
    "list opne": 'There is nothing to list by "opne". Did you mean open?',
    "list {bob}": "This person has no tickets.",
    "mine please": '"please" is too much here.',
}


async def test_a_mistake_is_named_privately_with_the_nearest_right_form_and_changes_nothing(office: Office) -> None:
    world = office.world
    await opened(office, world.ada, "The export fails")
    await opened(office, world.ben, "Ben is known to the desk")
    before, card = await office.ticket(), office.card().text
    for command, sentence in MISTAKES.items():
        people = {"ben": world.ben.mention, "linus": world.linus.mention, "bob": world.bob.mention}
        answer = await ask(office, world.grace, command.format(**people))
        assert answer.startswith(sentence), command
    assert await office.ticket() == before
    assert office.card().text == card


async def test_what_is_done_already_is_said_and_not_done_again(office: Office) -> None:
    await opened(office, office.world.ada, "The export fails")
    sentences = {
        "claim 1": "Ticket #1 is yours already.",
        f"assign 1 {office.world.grace.mention}": "Ticket #1 is assigned so already.",
        "close 1": "Ticket #1 is closed already.",
    }
    await ask(office, office.world.grace, "claim 1")
    for command, sentence in sentences.items():
        if command == "close 1":
            await ask(office, office.world.grace, command)
        entries = await office.sql.fetchval("select count(*) from threadesk.ledger")
        assert await ask(office, office.world.grace, command) == sentence
        assert await office.sql.fetchval("select count(*) from threadesk.ledger") == entries


async def test_a_closed_ticket_is_not_claimed_before_it_is_reopened(office: Office) -> None:
    await opened(office, office.world.ada, "The export fails")
    await ask(office, office.world.grace, "close 1")
    assert (await ask(office, office.world.grace, "claim 1")).startswith("Ticket #1 is closed. Reopen it first")
    assert (await office.ticket())["assigned_to"] in (None, [])


async def test_what_is_typed_can_neither_ping_nor_forge(office: Office) -> None:
    root, *_ = await opened(office, office.world.ada, "The export fails")
    typed = "1 <!channel> *now* <https://evil.example|your bank> &amp;"
    await ask(office, office.world.grace, f"title {typed}")
    await ask(office, office.world.grace, f"reply {typed}")
    assert (await office.ticket())["title"] == typed.removeprefix("1 ")
    for text in (office.card().text, office.thread(root)[-1]):
        assert "<!channel>" not in text
        assert "|your bank>" not in text


async def test_a_guest_in_triage_is_no_agent(office: Office) -> None:
    guest = office.sandbox.add_person("Gil Guest", guest=True)
    for channel in (office.world.triage, office.world.help):
        await office.sandbox.invite(channel, guest, by=office.world.grace)
    await opened(office, office.world.ada, "The export fails")
    assert (await ask(office, guest, "claim 1")).startswith("You have no ticket #1.")
    assert (await office.ticket())["assigned_to"] in (None, [])
    assert "unassigned" in office.card().text


async def test_an_agent_who_leaves_triage_returns_their_tickets_and_is_one_no_more(office: Office) -> None:
    world = office.world
    root, *_ = await opened(office, world.ada, "The export fails")
    await ask(office, world.grace, "claim 1")
    await office.sandbox.kick(world.triage, world.grace)
    await office.at_rest()
    ticket = await office.ticket()
    assert (ticket["status"], ticket["assigned_to"]) == ("new", [])
    assert "nobody is on it" in office.thread(root)[0]
    told = [one.text for one in office.sandbox.messages(world.triage) if "has left this channel" in one.text]
    assert told == [
        f"{world.grace.mention} has left this channel and is no longer on these tickets: #1 The export fails"
    ]
    assert (await ask(office, world.grace, "claim 1")).startswith("You have no ticket #1.")
