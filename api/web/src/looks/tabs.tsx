// Tabs as screen readers and keys know them: one of them is in the order of Tab, the arrows go to the others.

interface Tab<T> {
  key: T;
  label: string;
  testid?: string;
}

interface Props<T> {
  label: string;
  tabs: Tab<T>[];
  chosen: T;
  /** The id of the panel that they switch. */
  panel: string;
  onChoose: (key: T) => void;
}

export function Tabs<T extends string>({ label, tabs, chosen, panel, onChoose }: Props<T>) {
  function onKey(event: KeyboardEvent & { currentTarget: HTMLElement }) {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -tabs.length, End: tabs.length }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const at = tabs.findIndex((tab) => tab.key === chosen);
    const next = Math.abs(step) > 1 ? (step > 0 ? tabs.length - 1 : 0) : (at + step + tabs.length) % tabs.length;
    const tab = tabs[next];
    if (!tab) return;
    onChoose(tab.key);
    event.currentTarget.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  }

  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKey}>
      {tabs.map((tab) => (
        <button
          key={tab.key}
          id={`${panel}-${tab.key}`}
          type="button"
          role="tab"
          data-testid={tab.testid}
          aria-selected={tab.key === chosen}
          aria-controls={panel}
          tabIndex={tab.key === chosen ? 0 : -1}
          onClick={() => onChoose(tab.key)}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}
