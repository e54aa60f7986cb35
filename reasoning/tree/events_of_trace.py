"""A trace as events, so that anything that shows streams can also show a saved trace."""

from steiner.reasoning import events
from steiner.reasoning.events import Event
from steiner.reasoning.parser.event_log import EventLog
from steiner.reasoning.steps import Backtrack, Step
from steiner.reasoning.trace import Trace
from steiner.reasoning.tree.trace_tree import tree_of


def events_of(trace: Trace) -> list[Event]:
    """Events of the trace in order: each text in one delta, each intervention at the end of its step.

    What a trace does not hold is not made up: there is no `reasoning.started` (it has the policy), no `violation` (the
    trace only has their number) and no `usage`. `done` is the last event if the generation finished.
    """
    log = EventLog()
    destinations = tree_of(trace).destinations
    ids = {step.id for step in trace.steps}
    for step in trace.steps:
        _tell_sections(log, step)
        _tell_interventions(log, trace, step.id)
        if step.decision is not None or step.interrupted or step.finished_s is not None:
            _tell_end(log, step, destinations.get(step.id))
    for elsewhere in {intervention.step for intervention in trace.interventions} - ids:
        _tell_interventions(log, trace, elsewhere)
    _tell_answer(log, trace)
    return log.take()


def _tell_sections(log: EventLog, step: Step) -> None:
    log.say(events.StepStarted, step=step.id, depth=step.depth, parent=step.parent)
    judged = next((part for part in step.sections if part.role == "verification"), None)
    for section in step.sections:
        place = {"step": step.id, "role": section.role}
        log.say(events.SectionStarted, **place, name=section.name)
        if section.text:
            log.say(events.SectionDelta, **place, text=section.text)
        if section is judged and step.verdict is not None:
            log.say(events.StepVerified, step=step.id, verdict=step.verdict, forced=step.verdict_forced)
        log.say(events.SectionDone, **place, text=section.text, num_tokens=section.num_tokens)


def _tell_interventions(log: EventLog, trace: Trace, step: int | None) -> None:
    for intervention in trace.interventions:
        if intervention.step == step:
            log.say(events.Intervention, **intervention.model_dump(exclude={"sequence_number", "type"}))


def _tell_end(log: EventLog, step: Step, to_step: int | None) -> None:
    log.say_done(step)
    if isinstance(step.decision, Backtrack):
        to_depth = step.decision.to_depth
        log.say(
            events.Backtracked, from_step=step.id, to_depth=to_depth, to_step=0 if to_depth == 0 else to_step
        )


def _tell_answer(log: EventLog, trace: Trace) -> None:
    if trace.ended_by is not None:
        log.say(
            events.ReasoningDone,
            ended_by=trace.ended_by,
            num_steps=len(trace.steps),
            num_backtracks=trace.num_backtracks,
            num_reasoning_tokens=trace.num_reasoning_tokens,
        )
    if trace.answer:
        log.say(events.AnswerDelta, text=trace.answer)
    for index, call in enumerate(trace.tool_calls):
        log.say(events.ToolCallStarted, index=index, id=call.id, name=call.name)
        log.say(events.ToolCallDelta, index=index, arguments=call.arguments)
        log.say(events.ToolCallDone, index=index, **call.model_dump())
    if trace.finish_reason is None:
        return
    if trace.answer or trace.tool_calls:
        log.say(
            events.AnswerDone,
            text=trace.answer,
            num_tokens=trace.num_answer_tokens,
            finish_reason=trace.finish_reason,
            tool_calls=trace.tool_calls,
        )
    log.say(events.Done, finish_reason=trace.finish_reason)
