// When a page breaks, the rest stays: says so, and offers to load it again.
import { Component, type ErrorInfo, type ReactNode } from "react";
import i18n from "../i18n/index.ts";

interface Props {
  children: ReactNode;
  /** Another page begins anew. */
  place?: string;
}

export class ErrorBoundary extends Component<Props, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidCatch(error: Error, info: ErrorInfo) {
    console.error(error, info.componentStack);
  }

  override componentDidUpdate(before: Props) {
    if (before.place !== this.props.place && this.state.error) this.setState({ error: null });
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <div className="tf-empty" role="alert">
        <h2>{i18n.t("common.page_broke")}</h2>
        <p className="tf-muted">
          <code>{this.state.error.message}</code>
        </p>
        <button type="button" className="tf-link-button" onClick={() => location.reload()}>
          {i18n.t("common.reload")}
        </button>
      </div>
    );
  }
}
