// Pictures of one colour, in the page itself: no font, no request.

const PATHS = {
  home: "M12 3 3 11h2.5v9h5v-6h3v6h5v-9H21z",
  plus: "M11 4h2v7h7v2h-7v7h-2v-7H4v-2h7z",
  person: "M12 12a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9m0 2c-4.4 0-8 2.5-8 5.5V21h16v-1.500c0-3-3.600-5.500-8-5.500",
  heart: "M12 21s-8.500-5.300-8.500-11.500A4.700 4.700 0 0 1 12 6.700a4.700 4.700 0 0 1 8.500 2.800C20.500 15.700 12 21 12 21",
  comment: "M4 4h16a1.500 1.500 0 0 1 1.500 1.500v11A1.500 1.500 0 0 1 20 18h-8l-5 4v-4H4a1.500 1.500 0 0 1-1.500-1.500v-11A1.500 1.500 0 0 1 4 4",
  close: "m6.400 5 5.600 5.600L17.600 5 19 6.400 13.400 12l5.600 5.600-1.400 1.400-5.600-5.600L6.400 19 5 17.600l5.600-5.600L5 6.400z",
  play: "M7 4.500v15l12.500-7.500z",
  silent: "M4 9v6h4l5 5V4L8 9zm12.500 3 2.500-2.500 1.200 1.200-2.500 2.500 2.500 2.500-1.200 1.200-2.500-2.500-2.500 2.500-1.200-1.200 2.500-2.500-2.500-2.500 1.200-1.200z",
  trash: "M9 3h6l1 2h4v2H4V5h4zm-3 6h12l-1 12H7z",
  film: "M4 5h16v14H4zm6 3.500v7l6-3.500z",
  leave: "M10 4H4v16h6v-2H6V6h4zm5 3-1.400 1.400 2.600 2.600H9v2h7.200l-2.600 2.600L15 17l5-5z",
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} fill="currentColor" />
    </svg>
  );
}
