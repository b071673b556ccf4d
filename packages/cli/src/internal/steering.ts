/**
 * What a text says when it gives orders to a model instead of saying what a tool does: the words of known attacks by
 * descriptions of tools.
 */

export interface Steering {
  readonly pattern: RegExp
  readonly words: string
}

export const steering: ReadonlyArray<Steering> = [
  {
    pattern:
      /\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}\b(?:instructions?|rules?|prompts?|guidelines?|polic(?:y|ies)|previous|prior|above)\b/i,
    words: "tells the model to put other instructions aside"
  },
  {
    pattern: /\b(?:system|developer) (?:prompt|message)\b|\bnew instructions?\b|\bjailbreak\b/i,
    words: "speaks of the model's own instructions"
  },
  {
    pattern:
      /\byou are (?:now|no longer)\b|\b(?:pretend|act as if|role-?play)\b|\bfrom now on,? (?:you|always|never)\b/i,
    words: "tells the model what to be"
  },
  {
    pattern:
      /\b(?:do not|don't|never|without) (?:tell|mention|inform|reveal|show|notify|disclos|let|alert|telling|mentioning|informing|revealing|showing|notifying|letting|alerting)\w*\b[^.!?\n]{0,30}\b(?:user|human|person|anyone|anybody)\b/i,
    words: "tells the model to keep something from the person it works for"
  },
  {
    pattern: /\b(?:hide|conceal|keep)\b[^.!?\n]{0,40}\bfrom the (?:user|human|person)\b|\b(?:secretly|covertly)\b/i,
    words: "tells the model to keep something from the person it works for"
  },
  {
    pattern:
      /\b(?:without|do not|don't|never|skip)\b[^.!?\n]{0,20}\b(?:ask(?:ing)?|confirm(?:ation|ing)?|approv(?:al|ing)|permission)\b|\b(?:auto-?approve|automatically approve)\b/i,
    words: "tells the model not to ask before it acts"
  },
  {
    pattern:
      /\b(?:before|instead of|prior to) (?:any|every|all|using any|calling any|each)(?: other)? (?:tools?|tool calls?|actions?|requests?|answers?)\b|\balways (?:call|use|run|invoke) this(?: tool)?\b|\btakes? (?:precedence|priority) over\b/i,
    words: "puts itself before every other tool"
  },
  {
    pattern:
      /\b(?:include|send|attach|pass|copy|append|forward|collect|put|give|provide|add|read)\b[^.!?\n]{0,60}(?:~\/\.|\.ssh\b|id_rsa|\.env\b|mcp\.json|\bconversation\b|\bchat history\b|\bprevious messages\b|\bmemor(?:y|ies)\b|\bother tools?'?s?\b[^.!?\n]{0,20}\b(?:results?|output)|\benvironment variables?\b|\bprivate keys?\b|\bpasswords?\b|\bcredentials?\b|\bapi[ _-]?keys?\b)/i,
    words: "asks the model for what is none of this tool's business"
  },
  { pattern: /\bbcc\b/i, words: "speaks of a hidden recipient" }
]
