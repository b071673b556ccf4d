/** A connector's texts within Markdown: on one line, and without a meaning there. */
export const text = (words: string): string =>
  words
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[<>|`]/g, (mark) => `&#${mark.charCodeAt(0)};`)
