// The board: its variables, headings and panels, where its JSON says.
import { initPluginTranslations } from "@grafana/i18n";
import { ThemeContext } from "@grafana/data";
import { GlobalStyles, PanelChrome, PanelContextProvider } from "@grafana/ui";
import { createRoot } from "react-dom/client";
import { board, chosen, framesOf, theme, substitute } from "./frames";
import { Content } from "./panels";

const CELL = 38;
const GAP = 8;
const HEADER = 96;
const WIDTH = window.innerWidth - 2 * GAP;

function place({ x, y, w, h }) {
  const column = WIDTH / 24;
  return {
    position: "absolute",
    left: GAP + x * column,
    top: HEADER + y * CELL,
    width: w * column - GAP,
    height: h * CELL - GAP,
  };
}

function Header() {
  const shown = board.templating.list.filter(({ hide }) => hide !== 2);
  const box = { border: `1px solid ${theme.colors.border.medium}`, padding: "4px 8px", borderRadius: 2 };
  return (
    <header style={{ padding: GAP, height: HEADER, boxSizing: "border-box" }}>
      <div style={{ fontSize: 20, marginBottom: 10 }}>{board.title}</div>
      <div style={{ display: "flex", gap: 16, alignItems: "center" }}>
        {shown.map(({ name, label }) => (
          <span key={name}>
            <span style={{ ...box, background: theme.colors.background.secondary }}>{label}</span>
            <span style={box}>{chosen[name].text ?? chosen[name].value}</span>
          </span>
        ))}
        {board.annotations.list.map(({ name, iconColor, enable }) => (
          <span key={name} style={{ color: theme.visualization.getColorByName(iconColor) }}>
            {enable ? "●" : "○"} <span style={{ color: theme.colors.text.secondary }}>{name}</span>
          </span>
        ))}
      </div>
    </header>
  );
}

function Panel({ panel, frames }) {
  const { width, height, ...at } = place(panel.gridPos);
  if (panel.type === "row") {
    return <div style={{ ...at, width, fontWeight: 500, fontSize: 16, paddingTop: 4 }}>⌄ {panel.title}</div>;
  }
  return (
    <div style={at}>
      <PanelChrome title={substitute(panel.title)} description={panel.description} width={width} height={height}>
        {(width, height) => <Content panel={panel} frames={frames} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

async function draw() {
  await initPluginTranslations("grafana");
  const panels = await Promise.all(
    board.panels.map(async (panel) => ({ panel, frames: panel.type === "row" ? [] : await framesOf(panel) })),
  );
  const context = { eventsScope: "global", eventBus: { subscribe: () => {}, getStream: () => ({ subscribe: () => {}, pipe: () => ({ subscribe: () => {} }) }), publish: () => {} }, sync: () => 0 };
  createRoot(document.getElementById("root")).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context}>
        <div style={{ background: theme.colors.background.canvas, minHeight: "100vh", position: "relative" }}>
          <Header />
          {panels.map(({ panel, frames }) => (
            <Panel key={panel.id} panel={panel} frames={frames} />
          ))}
        </div>
      </PanelContextProvider>
    </ThemeContext.Provider>,
  );
}

draw().catch((error) => {
  document.body.innerText = `${error.stack}`;
});
