"""What people can do, what they cannot, and how commands and clicks are answered."""

from typing import Any

import pytest
from aiohttp import web

from bot.sandbox import CannotDo, Message
from tests.sandbox.conftest import World


def button(action_id: str, value: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": action_id}
    return {"type": "button", "action_id": action_id, "text": text, "value": value}


async def card(world: World, **more: Any) -> Message:
    blocks = [
        {"type": "actions", "block_id": "one", "elements": [button("claim", "1"), button("close", "1")]},
        {"type": "actions", "block_id": "two", "elements": [button("claim", "2")]},
    ]
    await world.call("chat.postMessage", channel=world.help.id, text="card", blocks=blocks, **more)
    return world.sandbox.find(world.help, "card")


async def test_a_command_carries_mentions_with_names_where_the_manifest_says_so(world: World) -> None:
    words = f"assign 1 {world.linus.mention} {world.help.mention} <b>"
    await world.grace.command("/ticket", words, channel=world.triage)
    form = world.app.last_form
    assert form["text"] == f"assign 1 <@{world.linus.id}|linus.pauling> {world.help.mention} &lt;b&gt;"
    assert (form["user_id"], form["channel_id"]) == (world.grace.id, world.triage.id)
    assert form["channel_name"] == "privategroup"
    await world.grace.command("/plain", words, channel=world.help)
    assert world.app.last_form["text"] == "assign 1 @linus.pauling #help-globex <b>"


async def test_a_commands_answer_is_private_unless_it_says_otherwise(world: World) -> None:
    world.app.answers.append(web.Response(text="only you"))
    world.app.answer_json({"response_type": "in_channel", "text": "everybody"})
    await world.grace.command("/ticket", channel=world.help)
    await world.grace.command("/ticket", channel=world.help)
    assert [m.text for m in world.sandbox.messages(world.help)] == ["everybody"]
    assert [m.text for m in world.sandbox.messages(world.help, viewer=world.grace)] == ["only you", "everybody"]


async def test_a_commands_malformed_answer_is_an_error_for_the_person(world: World) -> None:
    world.app.answer_json({"text": "x", "blocks": [{"type": "nonsense"}]})
    answer = await world.grace.command("/ticket", channel=world.help)
    assert "invalid_blocks" in str(answer.error)


async def test_commands_and_shortcuts_belong_to_the_installing_company(world: World) -> None:
    message = await world.ada.post(world.help, "x")
    with pytest.raises(CannotDo, match="has not installed the app"):
        await world.ada.command("/ticket", channel=world.help)
    with pytest.raises(CannotDo, match="has not installed the app"):
        await world.ada.message_shortcut("open_ticket", message)
    with pytest.raises(CannotDo, match="has not installed the app"):
        await world.ada.shortcut("new_ticket")


async def test_commands_do_not_work_in_threads_nor_unknown_ones_anywhere(world: World) -> None:
    root = await world.grace.post(world.help, "x")
    with pytest.raises(CannotDo, match="threads"):
        await world.grace.command("/ticket", channel=world.help, thread_ts=root.ts)
    with pytest.raises(CannotDo, match="not a valid command"):
        await world.grace.command("/nonsense", channel=world.help)


async def test_people_write_only_where_they_are_and_change_only_what_is_theirs(world: World) -> None:
    message = await world.grace.post(world.triage, "x")
    for act in (
        world.ada.post(world.triage, "x"),
        world.ada.react(message, "eyes"),
        world.linus.edit(message, "y"),
        world.linus.delete(message),
        world.sandbox.invite(world.triage, world.ada, by=world.grace),
    ):
        with pytest.raises(CannotDo) as refusal:
            await act
        assert refusal.value.url.startswith("https://")
    world.sandbox.deactivate(world.grace)
    with pytest.raises(CannotDo, match="deactivated"):
        await world.grace.post(world.triage, "x")


async def test_a_message_shortcut_carries_the_message(world: World) -> None:
    message = await world.ada.post(world.help, "broken")
    await world.grace.message_shortcut("open_ticket", message)
    payload = world.app.last_payload
    assert (payload["type"], payload["callback_id"]) == ("message_action", "open_ticket")
    assert (payload["message"]["text"], payload["message_ts"]) == ("broken", message.ts)


async def test_a_click_says_who_where_and_what(world: World) -> None:
    message = await card(world)
    await world.ada.click(message, "claim", value="2")
    payload = world.app.last_payload
    assert payload["actions"][0]["block_id"] == "two"
    assert payload["actions"][0]["value"] == "2"
    assert payload["user"]["team_id"] == payload["team"]["id"] == world.globex.id
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == message.ts


async def test_a_button_that_is_not_shown_any_more_cannot_be_clicked(world: World) -> None:
    message = await card(world)
    await world.call("chat.update", channel=world.help.id, ts=message.ts, text="done")
    with pytest.raises(CannotDo, match="no 'claim' there now"):
        await world.grace.click(message, "claim")
    await world.call("chat.delete", channel=world.help.id, ts=message.ts)
    with pytest.raises(CannotDo, match="does not see"):
        await world.grace.click(message, "claim")


async def test_a_menu_sends_the_chosen_option(world: World) -> None:
    option = {"text": {"type": "plain_text", "text": "Spam"}, "value": "spam"}
    menu = {"type": "overflow", "action_id": "more", "options": [option]}
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "card"}, "accessory": menu}
    await world.call("chat.postMessage", channel=world.help.id, text="card", blocks=[section])
    message = world.sandbox.find(world.help, "card")
    await world.grace.choose(message, "more", "spam")
    assert world.app.last_payload["actions"][0]["selected_option"]["value"] == "spam"
    with pytest.raises(CannotDo, match="no option"):
        await world.grace.choose(message, "more", "ham")


async def respond(world: World, url: str, **answer: Any) -> tuple[int, str]:
    async with world.http.post(url, json=answer) as response:
        return response.status, await response.text()


async def test_a_response_url_answers_replaces_and_deletes(world: World) -> None:
    message = await card(world)
    await world.grace.click(message, "close")
    url = world.app.last_payload["response_url"]
    assert await respond(world, url, text="psst") == (200, "ok")
    assert [m.text for m in world.sandbox.messages(world.help, world.grace)] == ["card", "psst"]
    await respond(world, url, text="replaced", replace_original=True)
    assert [m.text for m in world.sandbox.messages(world.help)] == ["replaced"]
    await respond(world, url, delete_original=True)
    assert world.sandbox.messages(world.help) == []


async def test_a_response_url_works_five_times_within_thirty_minutes(world: World) -> None:
    await world.grace.command("/ticket", channel=world.help)
    url = world.app.last_form["response_url"]
    for _ in range(5):
        assert (await respond(world, url, text="x"))[0] == 200
    status, why = await respond(world, url, text="x")
    assert (status, why.split()[0]) == (404, "used_url")
    await world.grace.command("/ticket", channel=world.help)
    world.sandbox.skip(1801)
    status, why = await respond(world, world.app.last_form["response_url"], text="x")
    assert (status, why.split()[0]) == (404, "expired_url")


async def test_what_is_not_there_is_named_with_what_is(world: World) -> None:
    await world.ada.post(world.help, "the export fails")
    with pytest.raises(LookupError, match="the export fails"):
        world.sandbox.find(world.help, "import")


async def test_a_message_shortcuts_payload_does_not_say_of_which_team_the_person_is(world: World) -> None:
    """https://github.com/slackapi/bolt-js/blob/main/src/types/shortcuts/message-shortcut.ts"""
    message = await world.ada.post(world.help, "broken")
    await world.grace.message_shortcut("open_ticket", message)
    assert world.app.last_payload["user"] == {"id": world.grace.id, "name": "grace.hopper"}
    await world.grace.shortcut("new_ticket")
    payload = world.app.last_payload
    assert payload["user"]["team_id"] == world.sandbox.team.id
    assert not {"channel", "message", "response_url"} & payload.keys(), "a global shortcut has no place"


async def test_a_bots_message_has_a_menu_too_and_is_no_users(world: World) -> None:
    await world.call("chat.postMessage", channel=world.help.id, text="card", username="CI")
    message = world.sandbox.find(world.help, "card")
    await world.grace.message_shortcut("open_ticket", message)
    shown = world.app.last_payload["message"]
    assert (shown["subtype"], shown["username"], "user" in shown) == ("bot_message", "CI", False)


async def test_a_message_shortcut_works_and_is_answered_where_the_bot_is_not(world: World) -> None:
    lunch = await world.sandbox.add_channel("lunch", members=[world.grace])
    message = await world.grace.post(lunch, "x")
    await world.grace.message_shortcut("open_ticket", message)
    payload = world.app.last_payload
    assert (payload["channel"]["id"], payload["message"]["text"]) == (lunch.id, "x")
    assert await respond(world, payload["response_url"], text="psst") == (200, "ok")
    assert [one.text for one in world.sandbox.messages(lunch, world.grace)] == ["x", "psst"]
