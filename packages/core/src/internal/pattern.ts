/** Whether a regular expression matches only strings up to some length: anchored at both ends, without open repeats. */
export const isBoundedPattern = (source: string): boolean => {
  if (!source.startsWith("^") || !source.endsWith("$") || source.endsWith("\\$")) return false
  let groups = 0
  let inClass = false
  for (let i = 0; i < source.length; i++) {
    const char = source[i]
    if (char === "\\") {
      i++
    } else if (inClass) {
      inClass = char !== "]"
    } else if (char === "[") {
      inClass = true
    } else if (char === "(") {
      groups++
    } else if (char === ")") {
      groups--
    } else if (char === "|" && groups === 0) {
      // One of the alternatives may lack an anchor.
      return false
    } else if (char === "*" || char === "+" || (char === "{" && /^\{\d+,\}/.test(source.slice(i)))) {
      return false
    }
  }
  return true
}
