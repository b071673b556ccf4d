/** Text of a server's as a terminal may show it: without control characters, which could move the cursor or set its title. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, "")
