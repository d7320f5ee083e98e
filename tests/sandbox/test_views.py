"""Modals and App Home: triggers, the stack, hashes, submissions and what their answers do."""

from typing import Any

import pytest
from aiohttp import web

from bot.sandbox import CannotDo
from tests.sandbox.conftest import World

Json = dict[str, Any]


def text(words: str) -> Json:
    return {"type": "plain_text", "text": words}


def field(block_id: str, **more: Any) -> Json:
    element = {"type": "plain_text_input", "action_id": "input", **more}
    return {"type": "input", "block_id": block_id, "label": text(block_id), "element": element}


def modal(*blocks: Json, **more: Any) -> Json:
    shown = blocks or (field("title"),)
    return {"type": "modal", "title": text("T"), "submit": text("Send"), "blocks": list(shown), **more}


async def trigger(world: World) -> str:
    await world.grace.shortcut("new_ticket")
    return str(world.app.last_payload["trigger_id"])


async def opened(world: World, *blocks: Json, **more: Any) -> Json:
    view = modal(*blocks, **more)
    answer = await world.call("views.open", trigger_id=await trigger(world), view=view)
    assert answer["ok"], answer
    shown: Json = answer["view"]
    return shown


async def test_a_trigger_opens_one_modal(world: World) -> None:
    key = await trigger(world)
    assert (await world.call("views.open", trigger_id=key, view=modal()))["ok"] is True
    again = await world.call("views.open", trigger_id=key, view=modal())
    assert again["error"] == "exchanged_trigger_id"
    assert (await world.call("views.open", trigger_id="1.2.x", view=modal()))["error"] == "invalid_trigger_id"


async def test_a_trigger_lives_for_three_seconds_at_any_speed(world: World) -> None:
    key = await trigger(world)
    world.sandbox.skip(3.1)
    assert (await world.call("views.open", trigger_id=key, view=modal()))["error"] == "expired_trigger_id"
    assert world.grace.view is None


async def test_a_malformed_view_is_refused_and_says_where(world: World) -> None:
    answer = await world.call("views.open", trigger_id=await trigger(world), view={"type": "modal"})
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"]
    assert answer["sandbox_reference"].startswith("https://docs.slack.dev")


async def test_three_views_fit_on_a_stack(world: World) -> None:
    await opened(world)
    for _ in range(2):
        assert (await world.call("views.push", trigger_id=await trigger(world), view=modal()))["ok"] is True
    answer = await world.call("views.push", trigger_id=await trigger(world), view=modal())
    assert answer["error"] == "push_limit_reached"
    root, second, third = world.grace.views
    assert (third["previous_view_id"], third["root_view_id"]) == (second["id"], root["id"])


async def test_an_update_needs_the_present_hash_and_keeps_what_was_typed(world: World) -> None:
    view = await opened(world, field("title"), field("words"))
    await world.grace.fill(title="typed")
    update = {"view_id": view["id"], "view": modal(field("title"), field("other"))}
    stale = await world.call("views.update", **update, hash="1.old")
    assert stale["error"] == "hash_conflict"
    fresh = await world.call("views.update", **update, hash=view["hash"])
    assert fresh["view"]["hash"] != view["hash"]
    assert world.grace.view is not None
    assert world.grace.view["state"]["values"]["title"]["input"]["value"] == "typed"
    assert (await world.call("views.update", view_id="V0", view=modal()))["error"] == "not_found"


async def test_a_submission_carries_the_whole_state_and_closes_the_modal(world: World) -> None:
    options = [{"text": text(v), "value": v} for v in ("low", "high")]
    menu = {"type": "static_select", "action_id": "menu", "options": options, "initial_option": options[0]}
    people = {"type": "multi_users_select", "action_id": "people"}
    await opened(
        world,
        field("title", initial_value="first"),
        {"type": "input", "block_id": "priority", "label": text("P"), "element": menu},
        {"type": "input", "block_id": "who", "label": text("W"), "element": people, "optional": True},
        private_metadata="42",
    )
    answer = await world.grace.submit({"priority": "high", "who": [world.linus]})
    payload = world.app.last_payload
    assert answer.ok
    assert world.grace.view is None
    assert payload["view"]["private_metadata"] == "42"
    assert payload["view"]["app_installed_team_id"] == world.sandbox.team.id
    values = payload["view"]["state"]["values"]
    assert values["title"]["input"] == {"type": "plain_text_input", "value": "first"}
    assert values["priority"]["menu"]["selected_option"]["value"] == "high"
    assert values["who"]["people"]["selected_users"] == [world.linus.id]


async def test_the_client_does_not_send_an_incomplete_form(world: World) -> None:
    await opened(world, field("title", max_length=5))
    for values in ({}, {"title": "too long"}, {"nowhere": "x"}):
        with pytest.raises(CannotDo):
            await world.grace.submit(values)
    assert len(world.app.requests) == 1


async def test_errors_stay_with_the_form(world: World) -> None:
    await opened(world)
    world.app.answer_json({"response_action": "errors", "errors": {"title": "Too vague."}})
    answer = await world.grace.submit({"title": "x"})
    assert answer.errors == {"title": "Too vague."}
    assert world.grace.view is not None
    assert world.grace.view["state"]["values"]["title"]["input"]["value"] == "x"


async def test_a_submission_may_update_push_or_clear(world: World) -> None:
    await opened(world)
    world.app.answer_json({"response_action": "update", "view": modal(field("second"))})
    await world.grace.submit({"title": "x"})
    assert world.grace.view is not None
    assert world.grace.view["blocks"][0]["block_id"] == "second"
    world.app.answer_json({"response_action": "push", "view": modal(field("third"))})
    await world.grace.submit({"second": "x"})
    assert len(world.grace.views) == 2
    world.app.answer_json({"response_action": "clear"})
    await world.grace.submit({"third": "x"})
    assert world.grace.views == []


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "errors", "errors": {"nowhere": "x"}},
        {"response_action": "sing"},
    ],
)
async def test_an_answer_slack_cannot_use_leaves_the_modal_open(world: World, answer: Json) -> None:
    await opened(world)
    world.app.answer_json(answer)
    assert "https://" in str((await world.grace.submit({"title": "x"})).error)
    assert world.grace.view is not None


async def test_a_failed_submission_keeps_the_modal_and_its_words(world: World) -> None:
    await opened(world)
    world.app.answers.append(web.Response(status=500))
    assert (await world.grace.submit({"title": "x"})).error == "dispatch_failed"
    assert world.grace.view is not None
    assert world.grace.view["state"]["values"]["title"]["input"]["value"] == "x"


async def test_a_field_is_filled_in_by_its_label_or_its_block(world: World) -> None:
    labelled = field("words") | {"label": text("Reply")}
    await opened(world, labelled, field("title"))
    with pytest.raises(CannotDo, match=r"no block 'reply', only 'Reply' \(words\), 'title' \(title\)"):
        await world.grace.fill(reply="x")
    await world.grace.fill({"Reply": "By label", "title": "By block"})
    assert world.grace.view is not None
    values = world.grace.view["state"]["values"]
    assert (values["words"]["input"]["value"], values["title"]["input"]["value"]) == ("By label", "By block")


async def test_closing_is_told_to_an_app_that_asked(world: World) -> None:
    await opened(world)
    await world.grace.dismiss()
    assert len(world.app.requests) == 1
    await opened(world, notify_on_close=True)
    await world.grace.dismiss()
    assert world.app.last_payload["type"] == "view_closed"
    with pytest.raises(CannotDo):
        await world.grace.dismiss()


async def test_a_home_is_published_and_guarded_by_its_hash(world: World) -> None:
    home = {"type": "home", "blocks": [{"type": "section", "block_id": "s", "text": text("hi")}]}
    first = await world.call("views.publish", user_id=world.ada.id, view=home)
    assert world.ada.home is not None
    stale = await world.call("views.publish", user_id=world.ada.id, view=home, hash="1.old")
    assert stale["error"] == "hash_conflict"
    again = await world.call("views.publish", user_id=world.ada.id, view=home, hash=first["view"]["hash"])
    assert again["view"]["id"] == first["view"]["id"]
    assert (await world.call("views.publish", user_id="U0", view=home))["error"] == "user_not_found"


async def test_a_button_in_a_modal_sends_the_view(world: World) -> None:
    button = {"type": "button", "action_id": "more", "text": text("More")}
    view = await opened(world, {"type": "actions", "block_id": "a", "elements": [button]})
    assert world.grace.view is not None
    await world.grace.click(world.grace.view, "more")
    payload = world.app.last_payload
    assert payload["container"] == {"type": "view", "view_id": view["id"]}
    assert "response_url" not in payload
