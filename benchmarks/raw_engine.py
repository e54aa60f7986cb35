"""vLLM's AsyncLLM without a server: the tokens of the same requests, taken from its generator and dropped.

    python benchmarks/raw_engine.py ENGINE_ARGS_JSON      # a job a line on standard input, a `Run` a line back

What a front end adds to the engine is measured against this. It is a process of its own, with the engine in
a child of it, as a server has it.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from typing import IO, Any

from chat_load import Reply, Run, numbered, summary
from transformers import AutoTokenizer

#: What stands on standard output once the engine is there.
READY = "ready"


def main() -> int:
    """Answer jobs until standard input ends."""
    # Engines and libraries print: what they say goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    asyncio.run(serve(json.loads(sys.argv[1]), answers))
    return 0


async def serve(engine_args: dict[str, Any], answers: IO[str]) -> None:
    """Start the engine; then a job a line, one after the other."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**engine_args))
    tokenizer = AutoTokenizer.from_pretrained(engine_args["model"])
    try:
        print(READY, file=answers)
        while line := await asyncio.to_thread(sys.stdin.readline):
            run = await RawLoad(llm, tokenizer, json.loads(line)).run()
            print(json.dumps(asdict(run)), file=answers)
    finally:
        llm.shutdown()


class RawLoad:
    """One job: `body`, `concurrency` and `num_requests` as in `chat_load.Job`."""

    def __init__(self, llm: Any, tokenizer: Any, job: dict[str, Any]) -> None:
        self._llm = llm
        self._tokenizer = tokenizer
        self._body = job["body"]
        self._concurrency = job["concurrency"]
        self._num_requests = job["num_requests"]

    async def run(self) -> Run:
        """Send it all; the front end is this process."""
        await self._send_all(range(1))
        cpu_before_s = time.process_time()
        begin_s = time.perf_counter()
        replies = await self._send_all(range(1, self._num_requests + 1))
        wall_s = time.perf_counter() - begin_s
        return summary(replies, wall_s, time.process_time() - cpu_before_s, 0.0)

    async def _send_all(self, numbers: range) -> list[Reply]:
        waiting = iter(numbers)
        replies: list[Reply] = []

        async def worker() -> None:
            for number in waiting:
                replies.append(await self._send(number))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(numbers))):
                group.create_task(worker())
        return replies

    async def _send(self, number: int) -> Reply:
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        begin_s = last_s = time.perf_counter()
        messages = numbered(self._body, number)["messages"]
        prompt_ids = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        structured = self._body.get("structured_outputs")
        params = SamplingParams(
            max_tokens=self._body["max_tokens"],
            temperature=self._body["temperature"],
            ignore_eos=True,
            detokenize=False,
            skip_clone=True,
            output_kind=RequestOutputKind.DELTA,
            structured_outputs=StructuredOutputsParams(**structured) if structured else None,
        )
        reply = Reply()
        prompt = {"type": "token", "prompt_token_ids": prompt_ids}
        async for output in self._llm.generate(prompt, params, f"raw-{number}-{begin_s}"):
            now_s = time.perf_counter()
            if reply.ttft_s is None:
                reply.ttft_s = now_s - begin_s
            else:
                reply.gaps_s.append(now_s - last_s)
            last_s = now_s
            reply.num_tokens += len(output.outputs[0].token_ids)
        return reply


if __name__ == "__main__":
    sys.exit(main())
