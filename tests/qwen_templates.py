"""Chat templates that treat tools as Qwen2.5's and Qwen3's do, shorter."""

TOOLS = (
    "{{- '# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\nYou are provided "
    "with function signatures within <tools></tools> XML tags:\\n<tools>' -}}"
    "{%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}"
    "{{- '\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\\n<tool_call>\\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\\n</tool_call><|im_end|>\\n\' -}}'
)
RESULT = (
    "{%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}{{- '<|im_start|>user' -}}{%- endif -%}"
    "{{- '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' -}}"
    "{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}{{- '<|im_end|>\\n' -}}{%- endif -%}"
)
# A default system message, names as they are, arguments as JSON whatever they are.
QWEN25 = (
    "{%- set first = messages[0].content if messages[0].role == 'system' else 'You are helpful.' -%}"
    "{{- '<|im_start|>system\\n' + first -}}{%- if tools -%}{{- '\\n\\n' -}}"
    f"{TOOLS}{{%- else -%}}{{{{- '<|im_end|>\\n' -}}}}{{%- endif -%}}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'user' or (m.role == 'assistant' and not m.tool_calls) "
    "or (m.role == 'system' and not loop.first) -%}"
    "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}"
    "{%- elif m.role == 'assistant' -%}{{- '<|im_start|>assistant' -}}"
    "{%- if m.content -%}{{- '\\n' + m.content -}}{%- endif -%}"
    "{%- for call in m.tool_calls -%}{%- if call.function is defined -%}{%- set call = call.function -%}"
    '{%- endif -%}{{- \'\\n<tool_call>\\n{"name": "\' + call.name + \'", "arguments": \' -}}'
    "{{- (call.arguments | tojson) + '}\\n</tool_call>' -}}{%- endfor -%}{{- '<|im_end|>\\n' -}}"
    f"{{%- elif m.role == 'tool' -%}}{RESULT}{{%- endif -%}}{{%- endfor -%}}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
# Looks for the last question and into answers for thinking, and takes arguments as text, too.
QWEN3 = (
    "{%- if tools -%}{{- '<|im_start|>system\\n' -}}"
    "{%- if messages[0].role == 'system' -%}{{- messages[0].content + '\\n\\n' -}}{%- endif -%}"
    f"{TOOLS}{{%- elif messages[0].role == 'system' -%}}"
    "{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' -}}{%- endif -%}"
    "{%- set ns = namespace(searching=true, last=messages | length - 1) -%}"
    "{%- for m in messages[::-1] -%}{%- if ns.searching and m.role == 'user' and m.content is string and not "
    "(m.content.startswith('<tool_response>') and m.content.endswith('</tool_response>')) -%}"
    "{%- set ns.searching = false -%}{%- set ns.last = messages | length - 1 - loop.index0 -%}"
    "{%- endif -%}{%- endfor -%}"
    "{%- for m in messages -%}"
    "{%- if m.role == 'user' or (m.role == 'system' and not loop.first) -%}"
    "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}"
    "{%- elif m.role == 'assistant' -%}{%- set content = m.content.split('</think>')[-1].lstrip('\\n') "
    "if '</think>' in m.content else m.content -%}"
    "{{- '<|im_start|>assistant\\n' -}}"
    "{%- if loop.index0 > ns.last and loop.last -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}"
    "{{- content -}}{%- for call in m.tool_calls or [] -%}"
    "{%- if (loop.first and content) or not loop.first -%}{{- '\\n' -}}{%- endif -%}"
    "{%- if call.function -%}{%- set call = call.function -%}{%- endif -%}"
    '{{- \'<tool_call>\\n{"name": "\' + call.name + \'", "arguments": \' -}}'
    "{{- call.arguments if call.arguments is string else call.arguments | tojson -}}"
    "{{- '}\\n</tool_call>' -}}{%- endfor -%}{{- '<|im_end|>\\n' -}}"
    f"{{%- elif m.role == 'tool' -%}}{RESULT}{{%- endif -%}}{{%- endfor -%}}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
