import { readFileSync, writeFileSync } from 'node:fs'

const BEGIN = '<!-- begin of the figures: written by npm run bench -- --write -->'
const END = '<!-- end of the figures -->'

/** Puts `figures` between the markers of a page. @throws Error when the page has no markers. */
export function betweenMarkers(page: string, figures: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`the page has no lines ${BEGIN} and ${END}`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${figures.trim()}\n\n${page.slice(end)}`
}

/** The same for a file. */
export function writeBetweenMarkers(path: string, figures: string): void {
  writeFileSync(path, betweenMarkers(readFileSync(path, 'utf8'), figures))
}
