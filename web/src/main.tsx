// The console begins here: language, who is logged in, and the pages.
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { ErrorBoundary } from "./components/ErrorBoundary.tsx";
import { SemiLocale } from "./components/SemiLocale.tsx";
import { Tips } from "./components/Tips.tsx";
import { SessionProvider } from "./context/session.tsx";
import { ThemeProvider } from "./context/theme.tsx";
import { keepSemiNamed } from "./helpers/semiNames.ts";
import { startI18n } from "./i18n/index.ts";
import { Pages } from "./routes/Pages.tsx";
import { queries } from "./services/queries.ts";
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";

// After an upgrade the pieces that this page knows of are gone: load the new page, once.
addEventListener("vite:preloadError", (event) => {
  const last = Number(sessionStorage.getItem("tf.reloaded"));
  if (Date.now() - last < 10_000) return;
  event.preventDefault();
  sessionStorage.setItem("tf.reloaded", String(Date.now()));
  location.reload();
});

keepSemiNamed();
await startI18n();
createRoot(document.getElementById("root")!).render(
  <ErrorBoundary>
    <QueryClientProvider client={queries}>
      <ThemeProvider>
        <SemiLocale>
          <SessionProvider>
            <BrowserRouter>
              <Pages />
            </BrowserRouter>
            <Tips />
          </SessionProvider>
        </SemiLocale>
      </ThemeProvider>
    </QueryClientProvider>
  </ErrorBoundary>,
);
