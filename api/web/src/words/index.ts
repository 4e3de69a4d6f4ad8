// The words of the page in the language that was chosen, or else the browser's; numbers, sizes and times as that language writes them.

import { kept } from "../model/kept";
import { chinese } from "./zh";
import { english, type Name, type Words } from "./en";

export type Language = "zh" | "en";
export type { Name };

const browsers: Language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
export const language = kept<Language>("dousheng-language", browsers, (value) => value === "zh" || value === "en");

const WORDS: Record<Language, Words> = { zh: chinese, en: english };
const LOCALES: Record<Language, string> = { zh: "zh-CN", en: "en" };
export const locale = (): string => LOCALES[language.value];

/** A text, with what belongs into its gaps. */
export function t(name: Name, ...values: (string | number)[]): string {
  return WORDS[language.value][name].replace(/\{(\d)\}/g, (_, at: string) => String(values[Number(at)] ?? ""));
}

/** "1.2K", "1.2万". */
export const count = (number: number): string =>
  new Intl.NumberFormat(locale(), { notation: "compact", maximumFractionDigits: 1 }).format(number);

export function bytes(number: number): string {
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return `${number.toFixed(unit > 1 && number < 100 ? 1 : 0)} ${units[unit] ?? ""}`;
}

/** How long something still takes. */
export function span(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [unit, value] = whole < 60 ? (["second", whole] as const) : (["minute", Math.ceil(whole / 60)] as const);
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: language.value === "zh" ? "long" : "short" }).format(value);
}

/** "0:07", "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const two = (number: number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const STEPS = [
  ["minute", 60, 3600],
  ["hour", 3600, 86_400],
  ["day", 86_400, 7 * 86_400],
] as const;

/** "3 min. ago", "2天前"; what is older than a week by its date. */
export function ago(time: number): string {
  const now = Date.now();
  const seconds = Math.max(0, (now - time) / 1000);
  if (seconds < 60) return t("justNow");
  for (const [unit, size, end] of STEPS) {
    if (seconds < end) {
      return new Intl.RelativeTimeFormat(locale(), { numeric: "auto", style: "short" }).format(-Math.floor(seconds / size), unit);
    }
  }
  const sameYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale(), { month: "short", day: "numeric", ...(sameYear ? {} : { year: "numeric" }) }).format(time);
}

/** The length of a text as the contract counts it: in code points. */
export const characters = (text: string): number => [...text].length;
